"""The generator as a Source: which rows are due, and the reader that gives them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Protocol

import pyarrow as pa

from constellationdb.clock import Clock
from constellationdb.connectors.api import Options, Polled, Position, SourceReader
from constellationdb.connectors.columns import pick_columns
from constellationdb.connectors.generator import market, nexmark, sensors
from constellationdb.connectors.generator.event_time import EventTimes
from constellationdb.connectors.options import Option, Settings, read_options
from constellationdb.errors import ConnectorFailure, InvalidParameter

PRESETS = ("market", "nexmark", "sensors")
_DAY_US = 86_400_000_000
OPTIONS = (
    Option("preset", "choice", required=True, choices=PRESETS),
    Option("table", "choice", "bid", choices=("bid", "auction", "person")),
    Option("seed", "integer", "0", minimum=0, maximum=2**63 - 1),
    Option("rate", "number", "0", minimum=0),
    Option("limit", "integer", "0", minimum=0),
    Option("disorder", "duration", "0", maximum=_DAY_US),
    Option("late", "number", minimum=0, maximum=1),  # 0.001, but 0 for nexmark, whose data is in order
    Option("late_by", "duration", "30s", minimum=1, maximum=_DAY_US),
    Option("start", "timestamp", "2024-01-01 00:00:00"),
    Option("event_rate", "integer", minimum=1),  # the preset's own
)
_EVENTS_PER_S = {"market": market.EVENTS_PER_S, "nexmark": nexmark.EVENTS_PER_S, "sensors": sensors.EVENTS_PER_S}
_LATE = {"market": 0.001, "nexmark": 0.0, "sensors": 0.001}
_REPLAY_ROWS = 65_536


class Preset(Protocol):
    @property
    def schema(self) -> pa.Schema: ...

    def rows(self, first: int, count: int) -> pa.RecordBatch:
        """Rows ``first`` to ``first + count``: a pure function, callable from any thread."""
        ...


def open_preset(settings: Settings) -> Preset:
    name, seed = settings.text("preset"), settings.integer("seed")
    times = EventTimes(
        seed=seed,
        start_us=settings.integer("start"),
        events_per_s=settings.integer("event_rate") if settings.has("event_rate") else _EVENTS_PER_S[name],
        disorder_us=settings.integer("disorder"),
        late=settings.number("late") if settings.has("late") else _LATE[name],
        late_by_us=settings.integer("late_by"),
    )
    if name == "nexmark":
        return nexmark.Nexmark(settings.text("table"), seed, times)
    if "table" in settings.given:
        raise InvalidParameter(f'preset "{name}" has only one table', hint='option "table" is for preset nexmark')
    return market.Market(seed, times) if name == "market" else sensors.Sensors(seed, times)


class Pace:
    """How many rows are due: one line through (row, time) for all readers of a source.

    The first reader fixes it where it begins; one that begins further on (after a restart) lifts it there.
    """

    def __init__(self, rate: float, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        self._anchor: tuple[int, float] | None = None

    def begin(self, row: int) -> None:
        with self._lock:
            if self._anchor is None or row > self._due(self._anchor):
                self._anchor = (row, self._clock.monotonic())

    def due(self) -> int | None:
        """The number of rows that exist by now; None when there is no rate to keep."""
        if not self._rate:
            return None
        with self._lock:
            assert self._anchor is not None, "no reader has begun"
            return self._due(self._anchor)

    def _due(self, anchor: tuple[int, float]) -> int:
        # the tolerance keeps 0.1 s at 10 rows/s from being 0.99999 rows
        return anchor[0] + int((self._clock.monotonic() - anchor[1]) * self._rate + 1e-6)


class GeneratorSource:
    """CREATE SOURCE … WITH (connector = 'generator')."""

    def __init__(self, columns: pa.Schema | None, options: Options, clock: Clock) -> None:
        settings = read_options("generator", OPTIONS, options)
        self._preset = open_preset(settings)
        self._limit = settings.integer("limit")
        self._pace = Pace(settings.number("rate"), clock)
        self.schema = pick_columns(self._preset.schema, columns, f'preset "{settings.text("preset")}"')

    def partitions(self) -> Sequence[str]:
        return ("0",)

    def open(self, partition: str, position: Position) -> SourceReader:
        if partition != "0":
            raise ConnectorFailure(f'generator has no partition "{partition}"')
        return GeneratorReader(self._preset, self.schema, self._limit, self._pace, position.get("row", 0))


class GeneratorReader:
    def __init__(self, preset: Preset, schema: pa.Schema, limit: int, pace: Pace, row: int) -> None:
        self._preset = preset
        self._schema = schema
        self._limit = limit
        self._pace = pace
        self._row = row
        pace.begin(row)

    def poll(self, limit: int) -> Polled:
        due = self._pace.due()
        end = self._row + limit if due is None else min(self._row + limit, due)
        if self._limit:
            end = min(end, self._limit)
        batch = self._rows(self._row, end) if end > self._row else None
        self._row = max(self._row, end)
        ended = bool(self._limit) and self._row >= self._limit
        return Polled(batch, {"row": self._row}, ended)

    def replay(self, start: Position, end: Position) -> Iterator[pa.RecordBatch]:
        first, last = start.get("row", 0), end.get("row", 0)
        for row in range(first, last, _REPLAY_ROWS):
            yield self._rows(row, min(row + _REPLAY_ROWS, last))

    def close(self) -> None:
        return None

    def _rows(self, first: int, last: int) -> pa.RecordBatch:
        batch = self._preset.rows(first, last - first)
        if self._schema is self._preset.schema:
            return batch
        columns = [batch.column(field.name).cast(field.type) for field in self._schema]
        return pa.RecordBatch.from_arrays(columns, schema=self._schema)
