"""``python -m bench state``: state stores, by columns of 65,536 keys and one by one.

Keys are 16 bytes in random order, values a hundred. What is timed are CPU seconds of the process (RocksDB's threads are
in them); ``ms`` is what passes on the clock in all, waiting for the disk included. Every answer is compared with the
rows that went in. Snapshots are written to disk and synced.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bench.child import pin
from bench.table import Table
from constellationdb.storage.state.chain import SnapshotChain
from constellationdb.storage.state.logged import MemoryStateStore
from constellationdb.storage.state.mapped import MappedStateStore
from constellationdb.storage.state.parts import Part
from constellationdb.storage.state.rocks import RocksStateStore
from constellationdb.storage.state.store import BYTES, ITEMS, StateStore

STORES: dict[str, Callable[[Path], StateStore]] = {
    "memory": lambda _: MemoryStateStore(),
    "mapped": MappedStateStore,
    "rocks": RocksStateStore,
}
_BATCH = 65_536
_KEY, _VALUE = 16, 100
_SINGLE = 10_000  # keys one by one
_SPREAD = np.uint64(11_400_714_819_323_198_485)


@dataclass(frozen=True)
class Line:
    store: str
    case: str
    keys: int
    keys_per_s: int  # of CPU time
    ms: float  # in all
    answer_ok: bool


def measure(names: Sequence[str], keys: int, core: int) -> Iterator[Line]:
    pin(core)
    for name in names:
        directory = Path(tempfile.mkdtemp(prefix="constellation-bench-"))
        try:
            yield from _Bench(name, keys, directory).lines()
        finally:
            shutil.rmtree(directory)


class _Bench:
    def __init__(self, name: str, keys: int, directory: Path) -> None:
        self._name, self._count, self._directory = name, keys, directory
        self._single = min(_SINGLE, keys)
        self._store = STORES[name](directory / "store")
        random = np.random.default_rng(1)
        self._keys = _column(_scattered(random.permutation(keys)), _KEY)
        self._absent = _column(_scattered(np.arange(keys, 2 * keys)), _KEY)
        self._values = [_column(random.bytes(keys * _VALUE), _VALUE) for _ in range(2)]

    def lines(self) -> Iterator[Line]:
        new, again = self._values
        yield self._line("put new", lambda: self._put(new), lambda _: len(self._store) == self._count)
        yield self._line("put again", lambda: self._put(again), lambda _: self._size_is_right())
        yield self._line("get", lambda: self._get(self._keys), again.equals)
        yield self._line("get missing", lambda: self._get(self._absent), lambda got: got.null_count == self._count)
        yield self._line("scan, first", self._scan, self._is_everything)
        yield self._line("scan", self._scan, self._is_everything)
        yield self._line("get one", self._get_one, lambda got: got == again[:_SINGLE].to_pylist(), self._single)
        yield self._line("put one", self._put_one, lambda _: self._size_is_right(), self._single)
        yield from self._snapshots()
        yield self._line("delete", lambda: self._store.delete_many(self._keys), lambda _: len(self._store) == 0)
        self._store.close()

    def _snapshots(self) -> Iterator[Line]:
        chain, few = SnapshotChain(self._directory / "chain"), max(1, self._count // 100)
        yield self._line("snapshot", lambda: chain.begin(self._store, 1), lambda begun: begun.epoch == 1, 1)
        yield self._part("write full", lambda: chain.save(self._store, 2), self._count)
        full = chain.restore(MemoryStateStore())
        assert full is not None
        self._store.put_many(self._keys[:few], self._values[0][:few])
        yield self._part("write 1 % delta", lambda: chain.save(self._store, 3), few, 0.02 * full.bytes)
        other = STORES[self._name](self._directory / "other")
        yield self._line("restore", lambda: chain.restore(other), lambda _: self._is_everything(list(other.scan())))
        other.close()

    def _put(self, values: pa.Array) -> None:
        for first in range(0, self._count, _BATCH):
            self._store.put_many(self._keys[first : first + _BATCH], values[first : first + _BATCH])

    def _get(self, keys: pa.Array) -> pa.Array:
        return pa.concat_arrays([self._store.get_many(keys[i : i + _BATCH]) for i in range(0, self._count, _BATCH)])

    def _scan(self) -> list[pa.RecordBatch]:
        return list(self._store.scan())

    def _get_one(self) -> list[bytes | None]:
        return [self._store.get(key) for key in self._keys[:_SINGLE].to_pylist()]

    def _put_one(self) -> None:
        values = self._values[1][:_SINGLE].to_pylist()
        for key, value in zip(self._keys[:_SINGLE].to_pylist(), values, strict=True):
            self._store.put(key, value)

    def _size_is_right(self) -> bool:
        return (len(self._store), self._store.size_bytes) == (self._count, self._count * (_KEY + _VALUE))

    def _is_everything(self, batches: list[pa.RecordBatch]) -> bool:
        """In order, and of every key the value that it has now."""
        found = pa.Table.from_batches(batches, ITEMS)
        keys = found.column(0).combine_chunks()
        in_order = keys.equals(self._keys.take(pc.sort_indices(self._keys)))
        return bool(in_order and self._store.get_many(keys).equals(found.column(1).combine_chunks()))

    def _part(self, case: str, save: Callable[[], Part], rows: int, most_bytes: float = float("inf")) -> Line:
        return self._line(case, save, lambda part: part.rows == rows and part.bytes <= most_bytes, rows)

    def _line(self, case: str, run: Callable[[], Any], check: Callable[[Any], bool], keys: int = 0) -> Line:
        keys = keys or self._count
        wall, cpu = time.perf_counter(), time.process_time()
        answer = run()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        return Line(self._name, case, keys, round(keys / max(cpu, 1e-6)), round(1000 * wall, 2), bool(check(answer)))


def _scattered(numbers: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Sixteen bytes of each number: multiplied, so that neighbours lie apart, and as it is."""
    return np.column_stack([numbers.astype(np.uint64) * _SPREAD, numbers.astype(np.uint64)])


def _column(data: bytes | NDArray[np.uint64], width: int) -> pa.Array:
    buffer = pa.py_buffer(data)
    offsets = np.arange(0, buffer.size + 1, width, dtype=np.int64)
    return pa.Array.from_buffers(BYTES, len(offsets) - 1, [None, pa.py_buffer(offsets), buffer])


def table_of(lines: Sequence[Line]) -> str:
    table = Table(("store", "case", "keys", "keys/CPU s", "ms", "answer"))
    for line in lines:
        answer = "ok" if line.answer_ok else "WRONG"
        table.add(line.store, line.case, f"{line.keys:,}", f"{line.keys_per_s:,}", f"{line.ms:,.1f}", answer)
    return table.text()
