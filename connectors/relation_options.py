"""The options of a relation itself, whatever connector it has: what ``WITH (…)`` takes besides the connector's own.

table, materialized view    retain_history
subscription                retention, snapshot
source                      watermark.idle_timeout, watermark.advance_when_idle, scan.startup, on_error
push source                 backlog.max_rows, backlog.max_bytes
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from constellationdb.connectors.options import Option, Settings, duration_us, read_options
from constellationdb.errors import FeatureNotSupported

RETAIN_HISTORY = "retain_history"
IDLE_TIMEOUT = "watermark.idle_timeout"
ADVANCE_WHEN_IDLE = "watermark.advance_when_idle"
MAX_ROWS, MAX_BYTES = "backlog.max_rows", "backlog.max_bytes"

_STORED = (Option(RETAIN_HISTORY, "duration", minimum=0),)
_SUBSCRIPTION = (
    Option("retention", "duration", default="1 day", minimum=1),
    Option("snapshot", "flag", default="true"),
)
_SOURCE = (
    Option(IDLE_TIMEOUT, "duration", minimum=1),
    Option(ADVANCE_WHEN_IDLE, "duration", minimum=1),
    Option("scan.startup", "choice", choices=("earliest", "latest", "now")),
    Option("on_error", "choice", choices=("table", "fail", "null")),
)
# Rows of a source without a connector that views have yet to do: with so many, whoever sends more waits.
_PUSHED = (
    Option(MAX_ROWS, "integer", default="1000000", minimum=1),
    Option(MAX_BYTES, "integer", default=str(256 << 20), minimum=1),
)
SOURCE_NAMES = frozenset({"connector", *(option.name for option in _SOURCE)})


def check_stored(kind: Literal["table", "materialized view"], options: Mapping[str, str]) -> None:
    """InvalidParameter for an option that a stored relation does not have, or that is malformed."""
    read_options("", _STORED, options, called=f"a {kind}")


def check_source(options: Mapping[str, str]) -> None:
    """The same for a source, of which the connector reads its own options; without one there are no others."""
    pushed = "connector" not in options
    own = {k: v for k, v in options.items() if k in SOURCE_NAMES or pushed}
    settings = read_options("", (*_SOURCE, *_PUSHED) if pushed else _SOURCE, own, called="a source")
    if settings.has("scan.startup") and settings.text("scan.startup") != "earliest":
        raise FeatureNotSupported(
            f"scan.startup = '{settings.text('scan.startup')}' is not supported",
            hint="a source with a connector is read from its beginning, a push source from the view's creation on",
        )
    if settings.has("on_error") and settings.text("on_error") != "table":
        raise FeatureNotSupported(
            f"on_error = '{settings.text('on_error')}' is not supported",
            hint="rows that cannot be read become rows of the source's errors relation",
        )


def subscription_settings(options: Mapping[str, str]) -> Settings:
    return read_options("", _SUBSCRIPTION, options, called="a subscription")


def retained_us(options: Mapping[str, str]) -> int | None:
    """How long changes are kept for readers, in µs; None when nothing was said."""
    return duration_us(options[RETAIN_HISTORY]) if RETAIN_HISTORY in options else None


def backlog_limits(options: Mapping[str, str]) -> tuple[int, int]:
    """Of a push source: how many rows, and bytes, may wait for its views."""
    given = {name: options[name] for name in (MAX_ROWS, MAX_BYTES) if name in options}
    settings = read_options("", _PUSHED, given)
    return settings.integer(MAX_ROWS), settings.integer(MAX_BYTES)


def idle_us(options: Mapping[str, str]) -> int | None:
    """After how long without rows a partition does not hold the watermark back, in µs; None: never."""
    return duration_us(options[IDLE_TIMEOUT]) if IDLE_TIMEOUT in options else None


def advance_us(options: Mapping[str, str]) -> int | None:
    """After how long without rows the watermark goes on with the clock, in µs; None: never."""
    return duration_us(options[ADVANCE_WHEN_IDLE]) if ADVANCE_WHEN_IDLE in options else None
