"""Ordered keys and values: the bytes-level seam below keyed state.

Keys and values are any bytes, also empty ones. The order is that of bytes; `kernels.orderedkeys` encodes columns so
that it is that of SQL. What is asked or changed by the million goes in and out as Arrow columns; single keys are for
whoever has one.

Left out: durability of what was not flushed (a store is derived from checkpoints and rebuilt with ``restore``), and
transactions over several keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

import pyarrow as pa

from constellationdb.errors import NullNotAllowed
from constellationdb.storage.kernels.arrowkeys import Texts, column_of, unwrapped

Item = tuple[bytes, bytes]
BYTES = pa.large_binary()
ITEMS = pa.schema([("key", BYTES), ("value", BYTES)])
BATCH_ROWS = 65_536


class StateView(Protocol):
    """Something to read from. A scan gives the items as they were when it was asked for."""

    def get(self, key: bytes) -> bytes | None: ...

    def get_many(self, keys: pa.Array) -> pa.Array:
        """The value of each key, NULL where there is none."""
        ...

    def prefix_scan(self, prefix: bytes) -> Iterator[Item]:
        """The items whose key begins with ``prefix``, in order of key."""
        ...

    def range_scan(self, start: bytes, end: bytes | None) -> Iterator[Item]:
        """The items with start <= key < end, in order of key; without ``end``, to the last."""
        ...

    def scan(self, start: bytes = b"", end: bytes | None = None) -> Iterator[pa.RecordBatch]:
        """The same as batches of `ITEMS`."""
        ...


class StateSnapshot(StateView, Protocol):
    """The store as it was at a moment; later changes do not reach it. Any thread may read it.

    It costs what later changes replace, so drop it when it is done with. Reading it after the store's ``close`` is
    undefined.
    """

    def changes(self) -> Iterator[pa.RecordBatch] | None:
        """What differs from the last snapshot that was committed, each key once: batches of `ITEMS` in any order,
        where a NULL value says that the key was removed. None when there is no such snapshot: take all."""
        ...


class StateStore(StateView, Protocol):
    """A view that can change. For one thread, but for its snapshots."""

    def __len__(self) -> int: ...

    @property
    def size_bytes(self) -> int:
        """The exact sum of the lengths of all keys and values."""
        ...

    def put(self, key: bytes, value: bytes) -> None:
        """Sets or replaces."""
        ...

    def put_many(self, keys: pa.Array, values: pa.Array) -> None:
        """Sets each key to its value, in order; where the value is NULL, removes it."""
        ...

    def delete(self, key: bytes) -> None:
        """Removes; a missing key is fine."""
        ...

    def delete_many(self, keys: pa.Array) -> None: ...

    def clear(self) -> None: ...

    def snapshot(self) -> StateSnapshot: ...

    def committed(self, snapshot: StateSnapshot) -> None:
        """The snapshot is safe elsewhere: from here on ``changes`` counts from it."""
        ...

    def restore(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Replaces the whole content by batches of `ITEMS`, in order; a NULL value removes what came before."""
        ...

    def flush(self) -> None:
        """Returns when all content survives a power cut, where the store has a directory."""
        ...

    def close(self) -> None: ...


def prefix_end(prefix: bytes) -> bytes | None:
    """The least key above every key with this prefix, or None when there is none (b"" or all 0xFF)."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else None


def items(batches: Iterable[pa.RecordBatch]) -> Iterator[Item]:
    """The rows of batches of `ITEMS`."""
    for batch in batches:
        yield from zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True)


def plain(array: pa.Array) -> pa.Array:
    """A column of bytes or text as one of `BYTES`."""
    return unwrapped(array).cast(BYTES)


def texts_of(array: pa.Array) -> Texts:
    """A column of bytes or text as flat arrays."""
    column = column_of(unwrapped(array))
    if not isinstance(column, Texts):
        raise TypeError(f"a state store has keys and values of bytes, not of {array.type}")
    return column


def keys_of(array: pa.Array) -> Texts:
    """The same, of keys: none is NULL."""
    if array.null_count:
        raise NullNotAllowed("a key of a state store must not be null")
    return texts_of(array)
