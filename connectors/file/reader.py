"""Many files as one stream of rows, in the order of their names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa

from constellationdb.clock import Clock
from constellationdb.connectors.api import Polled, Position, RowError
from constellationdb.connectors.file.discovery import AnyFile
from constellationdb.connectors.file.text_file import Piece
from constellationdb.errors import ConnectorFailure

Opener = Callable[[str], AnyFile]

_REPLAY_ROWS = 65_536


class OpenFiles:
    """The files a reader has open, at most ``limit`` of them."""

    def __init__(self, opener: Opener, limit: int = 64) -> None:
        self._opener = opener
        self._limit = limit
        self._open: dict[str, AnyFile] = {}

    def get(self, path: str) -> AnyFile:
        if path not in self._open:
            if len(self._open) >= self._limit:
                self.close(next(iter(self._open)))
            self._open[path] = self._opener(path)
        return self._open[path]

    def close(self, path: str) -> None:
        if path in self._open:
            self._open.pop(path).close()

    def close_all(self) -> None:
        for path in list(self._open):
            self.close(path)


def read_range(file: AnyFile, path: str, start: int, stop: int | None) -> Iterator[pa.RecordBatch]:
    """All rows between two offsets; without ``stop``, up to the end."""
    while stop is None or start < stop:
        piece = file.read(start, _REPLAY_ROWS, stop)
        if piece.at_end:
            if stop is not None:
                raise ConnectorFailure(f'file "{path}" no longer holds the rows that were read from it')
            break
        yield from piece.batches
        start = piece.offset


def polled(pieces: Sequence[Piece], schema: pa.Schema, position: Position, ended: bool) -> Polled:
    batches = [batch for piece in pieces for batch in piece.batches]
    errors: tuple[RowError, ...] = tuple(error for piece in pieces for error in piece.errors)
    batch = None
    if batches:
        batch = batches[0] if len(batches) == 1 else pa.concat_batches(batches)
        batch = batch.cast(schema) if not batch.schema.equals(schema) else batch
    return Polled(batch, position, ended, errors)


class OrderedReader:
    """One file after the other, each to its end; the position names the file being read."""

    def __init__(self, files: Sequence[str], opener: Opener, schema: pa.Schema, position: Position) -> None:
        self._files = files
        self._opener = opener
        self._open = OpenFiles(opener, limit=1)
        self._schema = schema
        self._index, self._offset = self._locate(position)

    def poll(self, limit: int) -> Polled:
        pieces: list[Piece] = []
        while limit > 0 and self._index < len(self._files):
            piece = self._open.get(self._files[self._index]).read(self._offset, limit)
            if not piece.at_end:
                pieces.append(piece)
                self._offset = piece.offset
                limit -= sum(batch.num_rows for batch in piece.batches) + len(piece.errors)
            elif self._index + 1 < len(self._files):
                self._index, self._offset = self._index + 1, 0
            else:
                return polled(pieces, self._schema, self._position(), ended=True)
        return polled(pieces, self._schema, self._position(), ended=False)

    def replay(self, start: Position, end: Position) -> Iterator[pa.RecordBatch]:
        first, offset = self._locate(start)
        last, stop = self._locate(end)
        files = OpenFiles(self._opener, limit=1)
        try:
            for index in range(first, last + 1):
                path = self._files[index]
                begin = offset if index == first else 0
                yield from read_range(files.get(path), path, begin, stop if index == last else None)
        finally:
            files.close_all()

    def close(self) -> None:
        self._open.close_all()

    def _position(self) -> Position:
        return {self._files[self._index]: self._offset}

    def _locate(self, position: Position) -> tuple[int, int]:
        if not position:
            return 0, 0
        ((path, offset),) = position.items()
        if path not in self._files:
            raise ConnectorFailure(f'file "{path}" is gone', hint="put it back, or create the source again")
        return self._files.index(path), offset


class FollowReader:
    """Every file there is, and every one that appears, as far as each has grown; never ends."""

    def __init__(
        self,
        find: Callable[[], Sequence[str]],
        opener: Opener,
        schema: pa.Schema,
        position: Position,
        clock: Clock,
        interval_s: float,
    ) -> None:
        self._find = find
        self._opener = opener
        self._open = OpenFiles(opener)
        self._schema = schema
        self._offsets = dict(position)
        self._clock = clock
        self._interval_s = interval_s
        self._looked_at: float | None = None
        self._files: Sequence[str] = ()

    def poll(self, limit: int) -> Polled:
        if limit > 0:
            self._look()
        pieces: list[Piece] = []
        for path in self._files:
            while limit > 0:
                piece = self._open.get(path).read(self._offsets.get(path, 0), limit)
                if piece.at_end:
                    break
                pieces.append(piece)
                self._offsets[path] = piece.offset
                limit -= sum(batch.num_rows for batch in piece.batches) + len(piece.errors)
        return polled(pieces, self._schema, dict(self._offsets), ended=False)

    def replay(self, start: Position, end: Position) -> Iterator[pa.RecordBatch]:
        files = OpenFiles(self._opener)
        try:
            for path in sorted(end):
                if start.get(path, 0) < end[path]:
                    yield from read_range(files.get(path), path, start.get(path, 0), end[path])
        finally:
            files.close_all()

    def close(self) -> None:
        self._open.close_all()

    def _look(self) -> None:
        """A new list of files, not more often than the interval says. One that is gone has no more rows."""
        now = self._clock.monotonic()
        if self._looked_at is not None and now - self._looked_at < self._interval_s:
            return
        self._looked_at = now
        files = self._find()
        for gone in set(self._files) - set(files):
            self._open.close(gone)
        self._files = files
