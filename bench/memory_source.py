"""A source whose rows lie ready in memory: connector ``memory``, for benchmarks only.

It gives nothing until its gate is opened, so that a view can be made and
watched before the clock starts.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import pyarrow as pa

from constellationdb.clock import Clock
from constellationdb.connectors import registry
from constellationdb.connectors.api import Options, Polled, Position, SourceReader


class MemorySource:
    """One partition; the position counts batches, so a batch is the least that a poll takes."""

    def __init__(self, batches: Sequence[pa.RecordBatch], gate: threading.Event) -> None:
        self.schema = batches[0].schema
        self._batches = batches
        self._gate = gate

    def partitions(self) -> Sequence[str]:
        return ("0",)

    def open(self, partition: str, position: Position) -> SourceReader:
        assert partition == "0"
        return MemoryReader(self._batches, self._gate, position.get("batch", 0))


class MemoryReader:
    def __init__(self, batches: Sequence[pa.RecordBatch], gate: threading.Event, next_batch: int) -> None:
        self._batches = batches
        self._gate = gate
        self._next = next_batch

    def poll(self, limit: int) -> Polled:  # noqa: ARG002 (a batch is no larger)
        if not self._gate.is_set():
            return Polled(None, {"batch": self._next})
        batch = self._batches[self._next] if self._next < len(self._batches) else None
        self._next += batch is not None
        return Polled(batch, {"batch": self._next}, self._next >= len(self._batches))

    def replay(self, start: Position, end: Position) -> Iterator[pa.RecordBatch]:
        yield from self._batches[start.get("batch", 0) : end.get("batch", 0)]

    def close(self) -> None:
        return None


def provide(streams: dict[str, list[pa.RecordBatch]], gate: threading.Event) -> None:
    """Make ``CREATE SOURCE … WITH (connector = 'memory', stream = …)`` mean these rows."""

    def open_memory(columns: pa.Schema | None, options: Options, clock: Clock) -> MemorySource:  # noqa: ARG001
        return MemorySource(streams[options["stream"]], gate)

    registry.SOURCES["memory"] = open_memory
