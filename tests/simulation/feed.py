"""A source that can be read again from anywhere: row n holds the number n, and of which of three groups it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from constellationdb.connectors.api import Polled, Position

SCHEMA = pa.schema([("n", pa.int64()), ("g", pa.int64())])


class Feed:
    """Outlives the engine. ``there``: how many rows there are to read."""

    schema = SCHEMA

    def __init__(self) -> None:
        self.there = 0

    def partitions(self) -> Sequence[str]:
        return ["0"]

    def open(self, _: str, position: Position) -> FeedReader:
        return FeedReader(self, position.get("n", 0))


class FeedReader:
    def __init__(self, feed: Feed, at: int) -> None:
        self._feed = feed
        self._at = at

    def poll(self, limit: int) -> Polled:
        start, self._at = self._at, min(self._feed.there, self._at + limit)
        return Polled(_rows(start, self._at), {"n": self._at})

    def replay(self, start: Position, end: Position) -> Iterator[pa.RecordBatch]:
        yield _rows(start.get("n", 0), end.get("n", 0))

    def close(self) -> None: ...


def _rows(start: int, end: int) -> pa.RecordBatch:
    numbers = range(start, end)
    return pa.record_batch(
        [pa.array(numbers, pa.int64()), pa.array([n % 3 for n in numbers], pa.int64())], schema=SCHEMA
    )
