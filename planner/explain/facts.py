"""What EXPLAIN says of an operator: a title, what it computes, and the same facts of every one.

key      by what its rows are found and, with several workers, exchanged
state    what it keeps
closes   what frees it
emits    when rows leave it
pushed   what is asked of somebody outside
rows     whether each input, and the output, only grows or also takes rows back
"""

from __future__ import annotations

from dataclasses import dataclass, field

from constellationdb.planner import plan

FIELDS = ("key", "state", "closes", "emits", "pushed", "rows")

APPEND_ONLY, CHANGELOG = "append-only", "changelog"

PER_EPOCH = "every epoch: what its input brings"
NETTED = "every epoch: changes, netted"


@dataclass(frozen=True)
class Facts:
    """None: there is none, which one line says of all of these. ``details``: what it computes, in order."""

    title: str
    key: str | None
    state: str | None
    closes: str | None
    emits: str
    rows: str
    pushed: str | None = None
    details: list[tuple[str, str]] = field(default_factory=list)

    def lines(self) -> list[tuple[str, str]]:
        shown = [*self.details]
        absent = []
        for name in FIELDS:
            value = getattr(self, name)
            if value is None:
                absent.append(name)
            else:
                shown.append((name, value))
        return [*shown, ("none", ", ".join(absent))] if absent else shown


def rows_of(node: plan.AnyNode) -> str:
    """An append-only edge carries no weight column."""
    inputs = [mode(child) for child in node.children]
    if not inputs:
        return f"out {mode(node)}"
    if len(set(inputs)) == 1:
        both = "both " if len(inputs) == 2 else ""
        return f"in {both}{inputs[0]}, out {mode(node)}"
    return f"in {' and '.join(inputs)}, out {mode(node)}"


def mode(node: plan.AnyNode) -> str:
    return APPEND_ONLY if node.append_only else CHANGELOG
