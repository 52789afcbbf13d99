"""What keyed state asks for memory: ordinary memory, or the scratch space when that is where it should lie."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from constellationdb.storage.scratch.mapping import Mapping
from constellationdb.storage.scratch.resident import resident_in
from constellationdb.storage.scratch.space import ScratchSpace, current

_T = TypeVar("_T", bound=np.generic)


def enlarged(array: NDArray[_T], used: int, least: int, fill: Any = None) -> NDArray[_T]:
    """One with room for at least ``least`` items, that begins with the ``used`` first of an array.

    The items behind all that there were are ``fill``; if that is None, they are anything. The array given may show
    what is done to the new one, or not.
    """
    space = current()
    if space is not None and not array.dtype.hasobject and (mapped := _mapped(space, array, used, least)) is not None:
        if fill is not None and fill != 0:
            mapped[len(array) :] = fill
        return mapped
    larger = np.empty(max(least, 2 * len(array)), array.dtype)
    larger[:used] = array[:used]
    if fill is not None:
        larger[len(array) :] = fill
    return larger


def _mapped(space: ScratchSpace, array: NDArray[_T], used: int, least: int) -> NDArray[_T] | None:
    before = mapping_of(array)
    width = array.dtype.itemsize
    if before is not None and before.address == array.ctypes.data:
        after = space.extend(before.file, width * max(least, len(array) + len(array) // 4))
        return None if after is None else _items(after, array.dtype)
    capacity = max(least, 2 * len(array))
    if not space.wants(width * capacity) or (made := space.make(width * capacity)) is None:
        return None
    larger: NDArray[_T] = _items(made, array.dtype)
    larger[:used] = array[:used]
    return larger


def zeros(count: int, dtype: np.dtype[_T]) -> NDArray[_T]:
    space = current()
    if space is not None and space.wants(count * dtype.itemsize):
        made = space.make(count * dtype.itemsize)
        if made is not None:
            return _items(made, dtype)[:count]
    return np.zeros(count, dtype)


def filled(count: int, dtype: np.dtype[_T], fill: Any) -> NDArray[_T]:
    array = zeros(count, dtype)
    array[:] = fill
    return array


def settled(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The same rows, where rows should lie that stay."""
    space = current()
    if space is None or not batch.num_columns or not space.wants(batch.nbytes):
        return batch
    counted = pa.MockOutputStream()
    _write(batch, counted)
    made = space.make(counted.size(), grows=False)
    if made is None:
        return batch
    _write(batch, pa.FixedSizeBufferWriter(pa.py_buffer(np.asarray(made))))
    with pa.ipc.open_stream(pa.foreign_buffer(made.address, counted.size(), made)) as reader:
        return reader.read_next_batch()


def _write(batch: pa.RecordBatch, sink: pa.NativeFile) -> None:
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)


def mapping_of(array: NDArray[Any]) -> Mapping | None:
    """The mapping that an array lies in."""
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, Mapping) else None


def mapped_bytes(mappings: Sequence[Mapping], part: NDArray[Any] | pa.Array | pa.RecordBatch) -> tuple[int, int]:
    """Of an array or a batch: the bytes in files, and how many of these are in memory; ``mappings`` by address."""
    if isinstance(part, np.ndarray):
        lies = mapping_of(part)
        return (0, 0) if lies is None else (part.nbytes, min(part.nbytes, resident_in(part.ctypes.data, part.nbytes)))
    columns = part.columns if isinstance(part, pa.RecordBatch) else [part]
    first = next((b for column in columns for b in column.buffers() if b is not None and b.size), None)
    place = 0 if first is None else bisect_right(mappings, first.address, key=lambda m: m.address)
    if first is None or not place or first.address >= (found := mappings[place - 1]).address + found.size:
        return 0, 0
    return int(part.nbytes), min(int(part.nbytes), resident_in(found.address, found.size))


def _items(mapping: Mapping, dtype: np.dtype[_T]) -> NDArray[_T]:
    """As many as it has room for."""
    count = mapping.size // dtype.itemsize
    items: NDArray[_T] = np.asarray(mapping)[: count * dtype.itemsize].view(dtype)
    return items
