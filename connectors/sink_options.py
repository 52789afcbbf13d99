"""The options of a sink itself, whatever connector it has: what is written, and when it is committed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from constellationdb.connectors.options import Option, Settings, read_options

COMMIT_INTERVAL, COMMIT_ROWS = "commit_interval", "commit_rows"
# Not of the statement: who the sink is, and the table that it writes.
ID, INTO = "sink.id", "sink.into"

_OPTIONS = (
    Option("type", "choice", choices=("append", "upsert", "debezium")),
    Option("primary_key"),
    Option("snapshot", "flag", "true"),
    Option(COMMIT_INTERVAL, "duration", minimum=0),
    Option(COMMIT_ROWS, "integer", "100000", minimum=1),
    Option("max_backlog", "integer", minimum=1),
)
_NAMES = frozenset(option.name for option in _OPTIONS)
# What ALTER SINK cannot set: with another value the target would hold something else than it says.
FIXED = frozenset({"connector", "type", "primary_key", "snapshot"})
# How long a connector's commits are apart where nobody said: a file each is worth waiting for.
_INTERVALS_US = {"file": 10_000_000, "postgres": 1_000_000}
_INTERVAL_US = 100_000


@dataclass(frozen=True)
class SinkSettings:
    """``type`` and ``key`` None: not said. ``interval_us``: commits are at least so far apart.

    ``backlog_bytes``: so much is kept at most of what the target lacks; None: not said.
    """

    type: str | None
    key: tuple[str, ...] | None
    snapshot: bool
    interval_us: int
    rows: int
    backlog_bytes: int | None

    @classmethod
    def of(cls, options: Mapping[str, str]) -> SinkSettings:
        settings = read_options("", _OPTIONS, {k: v for k, v in options.items() if k in _NAMES}, called="a sink")
        usual = _INTERVALS_US.get(options.get("connector", ""), _INTERVAL_US)
        return cls(
            settings.text_or_none("type"),
            _columns(settings, "primary_key"),
            settings.flag("snapshot"),
            settings.integer(COMMIT_INTERVAL) if settings.has(COMMIT_INTERVAL) else usual,
            settings.integer(COMMIT_ROWS),
            settings.integer("max_backlog") if settings.has("max_backlog") else None,
        )


def of_connector(options: Mapping[str, str]) -> dict[str, str]:
    """The options that are the connector's own."""
    return {
        name: value for name, value in options.items() if name not in _NAMES and name not in ("connector", ID, INTO)
    }


def _columns(settings: Settings, name: str) -> tuple[str, ...] | None:
    """``a, "B"``: names in a list; without quotation marks in lower case, as in SQL."""
    text = settings.text_or_none(name)
    return None if text is None else column_list(text)


def column_list(text: str) -> tuple[str, ...]:
    parts = [part.strip() for part in text.split(",")]
    return tuple(part[1:-1] if len(part) > 1 and part[0] == part[-1] == '"' else part.lower() for part in parts if part)
