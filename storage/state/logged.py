"""State stores over a `VersionLog`; the one in memory. The one in a file is in `mapped`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from constellationdb.storage.kernels.arrowkeys import Texts
from constellationdb.storage.kernels.memory import Bool
from constellationdb.storage.state.arena import MemoryArena
from constellationdb.storage.state.store import (
    Item,
    StateSnapshot,
    items,
    keys_of,
    prefix_end,
    texts_of,
)
from constellationdb.storage.state.versions import VersionLog

LEAST_GARBAGE = 1 << 20  # compacting less is not worth while
_NO_MARKS: Bool = np.zeros(0, np.bool_)


class _LogView:
    """A log as of some moment."""

    _log: VersionLog

    def _end(self) -> int:
        raise NotImplementedError

    def get(self, key: bytes) -> bytes | None:
        log = self._log
        return log.value(log.find(_one(key), self._end()).item())

    def get_many(self, keys: pa.Array) -> pa.Array:
        log, texts = self._log, keys_of(keys)
        return log.values(log.find(texts, self._end()))

    def scan(self, start: bytes = b"", end: bytes | None = None) -> Iterator[pa.RecordBatch]:
        return self._log.scan(start, end, self._end())

    def range_scan(self, start: bytes, end: bytes | None) -> Iterator[Item]:
        return items(self.scan(start, end))

    def prefix_scan(self, prefix: bytes) -> Iterator[Item]:
        return self.range_scan(prefix, prefix_end(prefix))


class LogSnapshot(_LogView):
    """A moment of a log: taken without copying anything."""

    def __init__(self, log: VersionLog) -> None:
        self._log = log
        self.moment = log.end

    def _end(self) -> int:
        return self.moment

    def changes(self) -> Iterator[pa.RecordBatch] | None:
        return self._log.changes(self.moment)

    def is_of(self, log: VersionLog) -> bool:
        return self._log is log


class LogStateStore(_LogView):
    """What the stores over a log have in common."""

    def _new_log(self) -> VersionLog:
        raise NotImplementedError

    def _write(self, keys: Texts, values: Texts) -> None:
        raise NotImplementedError

    def _end(self) -> int:
        return self._log.end

    def __len__(self) -> int:
        return len(self._log)

    @property
    def size_bytes(self) -> int:
        return self._log.size_bytes

    @property
    def garbage_bytes(self) -> int:
        """What former versions take."""
        return self._log.garbage_bytes

    def put(self, key: bytes, value: bytes) -> None:
        self._write(_one(key), _one(value))

    def put_many(self, keys: pa.Array, values: pa.Array) -> None:
        if len(keys) != len(values):
            raise ValueError(f"{len(keys)} keys for {len(values)} values")
        self._write(keys_of(keys), texts_of(values))

    def delete(self, key: bytes) -> None:
        self._write(_one(key), _nothing(1))

    def delete_many(self, keys: pa.Array) -> None:
        self._write(keys_of(keys), _nothing(len(keys)))

    def clear(self) -> None:
        self._log = self._new_log()

    def snapshot(self) -> LogSnapshot:
        return LogSnapshot(self._log)

    def committed(self, snapshot: StateSnapshot) -> None:
        assert isinstance(snapshot, LogSnapshot)
        # Of a log that was compacted since, the moment is unknown in the new one.
        self._log.base = snapshot.moment if snapshot.is_of(self._log) else None

    def restore(self, batches: Iterable[pa.RecordBatch]) -> None:
        self.clear()
        for batch in batches:
            self.put_many(batch.column(0), batch.column(1))


class MemoryStateStore(LogStateStore):
    """Everything in memory. Former versions, which snapshots may still read, take up to as much as the content."""

    def __init__(self) -> None:
        self._log = self._new_log()

    def _new_log(self) -> VersionLog:
        return VersionLog(MemoryArena())

    def _write(self, keys: Texts, values: Texts) -> None:
        self._log.write(keys, values)
        if self._log.garbage_bytes > max(LEAST_GARBAGE, self._log.live_bytes):
            self._log = self._log.compacted(MemoryArena())

    def flush(self) -> None: ...

    def close(self) -> None: ...


def _one(text: bytes) -> Texts:
    return Texts(np.frombuffer(text, np.uint8), np.array([0, len(text)], np.int64), _NO_MARKS)


def _nothing(rows: int) -> Texts:
    return Texts(np.zeros(0, np.uint8), np.zeros(rows + 1, np.int64), np.zeros(rows, np.bool_))
