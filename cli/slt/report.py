"""What a person reads: each failure in full, then one line that counts."""

from __future__ import annotations

from constellationdb.cli.slt.runner import Failure

_SHOWN_LINES = 60


def describe(failure: Failure) -> str:
    """File, line, what went wrong, the SQL, and both sides."""
    within = f" (subtest {failure.subtest})" if failure.subtest else ""
    return "\n".join(
        [
            f"{failure.place}: {failure.mismatch.reason}{within}",
            _indented(failure.source, 4),
            "  expected:",
            _indented(failure.mismatch.expected, 4),
            "  got:",
            _indented(failure.mismatch.got, 4),
        ]
    )


def summary(passed: int, failed: int) -> str:
    return f"{passed} passed, {failed} failed"


def _indented(text: str, by: int) -> str:
    lines = text.splitlines() or ["(nothing)"]
    if len(lines) > _SHOWN_LINES:
        lines = [*lines[:_SHOWN_LINES], f"… and {len(lines) - _SHOWN_LINES} more lines"]
    return "\n".join(" " * by + line for line in lines)
