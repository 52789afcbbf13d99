"""Sources at run time: polled by the sequencer while a view reads them, replayed for newcomers and recovery."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from constellationdb.catalog.model import Relation
from constellationdb.clock import Clock
from constellationdb.connectors.api import Position, RowError, Source, SourceReader
from constellationdb.connectors.registry import open_source
from constellationdb.connectors.relation_options import SOURCE_NAMES, advance_us, idle_us
from constellationdb.engine import batch as zset
from constellationdb.engine.made_columns import MadeSource, made_columns
from constellationdb.engine.record import SourceRange
from constellationdb.engine.relation import Follower, RelationState
from constellationdb.engine.side import ERRORS_SCHEMA
from constellationdb.engine.watermarks import WatermarkTracker

POLL_ROWS = 65_536


class SourceEnd(NamedTuple):
    """Where what there is of a source ends: positions by partition, and the partitions that bring no more."""

    positions: dict[str, Position]
    ended: list[str]


class SourceState(RelationState):
    """A relation without contents. Push sources have no connector: their rows come by INSERT.

    ``start``: the position a new view reads from (the position at creation for a push source: none).
    """

    def __init__(self, relation: Relation, epoch: int, clock: Clock, writer: Follower | None = None) -> None:
        super().__init__(relation.name, relation.schema, None, epoch, writer)
        self.relation = relation
        self.pushed = "connector" not in relation.options
        self._clock = clock
        self._source: Source | None = None
        self._readers: dict[str, SourceReader] = {}
        self.positions: dict[str, Position] = {}
        self.ended: set[str] = set()
        self.tracker = self._tracker()
        self.rows = 0
        self.errors = 0
        self.trouble: str | None = None  # why it is not read any more
        self.stopped = False
        self._drained_at = float("-inf")  # the last poll that brought all there was

    def is_read(self, since: float) -> bool:
        """Whether all that was there at a moment, by the monotonic clock, has been read."""
        return self.pushed or self.exhausted or self.stopped or self._drained_at >= since

    def _tracker(self) -> WatermarkTracker:
        mark = self.relation.watermark
        options = self.relation.options
        column, delay_us = (mark.column, mark.delay_us) if mark else (None, 0)
        return WatermarkTracker(column, delay_us, idle_us(options), advance_us(options))

    def source(self) -> Source:
        if self._source is None:
            options = {k: v for k, v in self.relation.options.items() if k not in SOURCE_NAMES}
            self._source = open_source(self.relation.options["connector"], self.schema, options, self._clock)
            if made_columns(self.schema):
                self._source = MadeSource(self._source, self.schema)
        return self._source

    @property
    def active(self) -> bool:
        """Read only while something reads it, and not past its end."""
        return not self.pushed and self.wanted and not self.exhausted and not self.stopped

    @property
    def wanted(self) -> bool:
        return bool(self.consumers or self.receivers or self.subscribers)

    @property
    def due_us(self) -> int | None:
        """When its watermark moves although nothing comes."""
        return self.tracker.due_us() if self.wanted and not self.stopped else None

    @property
    def exhausted(self) -> bool:
        return bool(self._readers) and self.ended >= set(self._readers)

    def open_readers(self) -> None:
        for partition in self.source().partitions():
            if partition not in self._readers:
                position = self.positions.get(partition, {})
                self._readers[partition] = self.source().open(partition, position)
                self.tracker.begin(partition, self._clock.now_us())

    def poll(self) -> tuple[list[pa.RecordBatch], list[RowError], list[SourceRange]]:
        """What the partitions bring now, and the ranges that were read."""
        self.open_readers()
        batches: list[pa.RecordBatch] = []
        failed: list[RowError] = []
        ranges: list[SourceRange] = []
        now, full = self._clock.monotonic(), False
        for partition, reader in self._readers.items():
            if partition in self.ended:
                continue
            polled = reader.poll(POLL_ROWS)
            full |= len(polled.errors) + (polled.batch.num_rows if polled.batch is not None else 0) >= POLL_ROWS
            start = self.positions.get(partition, {})
            if polled.batch is not None and polled.batch.num_rows:
                batches.append(self._take(partition, polled.batch))
            failed += polled.errors
            if polled.ended:
                self.ended.add(partition)
                self.tracker.end(partition)
            if polled.position != start or polled.ended:
                ranges.append(SourceRange(self.name, partition, start, polled.position, polled.ended))
                self.positions[partition] = polled.position
        self.errors += len(failed)
        if not full:
            self._drained_at = now
        return batches, failed, ranges

    def _take(self, partition: str, batch: pa.RecordBatch) -> pa.RecordBatch:
        batch = zset.conform(batch, self.schema)
        self.tracker.observe(partition, batch, self._clock.now_us())
        self.rows += batch.num_rows
        return batch

    def push(self, batch: pa.RecordBatch) -> None:
        """Note rows that an INSERT brought."""
        self.tracker.begin("push", self._clock.now_us())
        self.tracker.observe("push", batch, self._clock.now_us())
        self.rows += batch.num_rows

    def replay_range(self, read: SourceRange) -> list[pa.RecordBatch]:
        """The rows of a logged range once more; the state moves on as it did then."""
        self.open_readers()
        reader = self._readers[read.partition]
        batches = [self._take(read.partition, b) for b in reader.replay(read.start, read.end) if b.num_rows]
        self.positions[read.partition] = read.end
        if read.ended:
            self.ended.add(read.partition)
            self.tracker.end(read.partition)
        return batches

    def reopen(self) -> None:
        """Let the readers continue from ``positions``: after recovery they stand where replay began."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()

    def here(self) -> SourceEnd:
        """How far it has been read."""
        return SourceEnd(dict(self.positions), sorted(self.ended))

    def history(self, end: SourceEnd) -> Iterator[tuple[pa.RecordBatch, int]]:
        """Everything from the beginning to ``end``, with the watermark after each chunk."""
        if self.pushed:
            return
        ends, ended = end.positions, end.ended
        tracker = self._tracker()
        now = self._clock.now_us()
        for partition in ends:
            tracker.begin(partition, now)
        for partition, stop in ends.items():
            with closing(self.source().open(partition, {})) as reader:
                for batch in reader.replay({}, stop):
                    rows = zset.conform(batch, self.schema)
                    tracker.observe(partition, rows, now)
                    yield rows, tracker.advance(now)
            if partition in ended:
                tracker.end(partition)

    def redefined(self, relation: Relation) -> SourceState:
        """The same source with another definition: it goes on where this one is."""
        self.close()
        made = SourceState(relation, self.log.forgotten, self._clock, self.writer)
        made.positions, made.ended = self.positions, self.ended
        made.watermark, made.rows, made.errors = self.watermark, self.rows, self.errors
        made.tracker.restore(self.watermark)
        return made

    def close(self) -> None:
        for reader in self._readers.values():
            reader.close()


def error_rows(failed: list[RowError]) -> pa.RecordBatch:
    """Rows of a source that could not be decoded, as its errors relation holds them."""
    rows = pa.RecordBatch.from_arrays(
        [
            pa.array(np.zeros(len(failed), np.int64)),
            pa.array([e.sqlstate for e in failed]),
            pa.array([e.message for e in failed]),
            pa.array([e.payload for e in failed]),
        ],
        schema=ERRORS_SCHEMA,
    )
    return zset.with_weights(rows, 1)
