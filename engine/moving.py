"""Window functions of frames over many stretches of rows at once, from sums that run through all of them.

What a frame's sum is, is the difference of the running sums at its end and at its beginning; whole numbers lose nothing
by that, even where a running sum wraps around. So a frame costs the same however wide it is. Frames that begin at the
beginning of a key begin with their stretch here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from constellationdb.engine.kernels.rows import I64, Bool
from constellationdb.engine.kernels.sliding import greatest
from constellationdb.planner import plan
from constellationdb.storage.kernels.arrowkeys import Words, column_of

_HALF, _LOW = np.int64(32), np.int64((1 << 32) - 1)


class Stretches(NamedTuple):
    """Rows one stretch after the other; of the rows in ``asked``, where they are, where their stretch begins and
    ends, and where their peers end."""

    rows: int
    asked: I64
    begins: I64
    ends: I64
    peers: I64

    def frames(self, moving: plan.Moving) -> tuple[I64, I64]:
        """Of each row asked for, where its frame begins, and the end of it."""
        if moving.running:
            return self.begins, self.peers if moving.tied else self.asked + 1
        begins = np.clip(self.asked + moving.first, self.begins, self.ends)
        return begins, np.clip(self.asked + moving.last + 1, begins, self.ends)


def stretches_of(numbers: I64, asked: Bool, peers: I64) -> Stretches:
    """``numbers`` and ``peers``: the rising number of each row's stretch, and of those that tie."""
    sizes = np.bincount(numbers)
    ends = np.cumsum(sizes)
    places = np.flatnonzero(asked)
    own = numbers[places]
    ties = np.cumsum(np.bincount(peers))[peers[places]]
    return Stretches(len(numbers), places, ends[own] - sizes[own], ends[own], ties)


def values_of(moving: plan.Moving, column: pa.Array | None, stretches: Stretches, kind: pa.DataType) -> pa.Array:
    """What the function says of the rows asked for. ``column``: its argument in all rows; None: there is none."""
    begins, ends = stretches.frames(moving)
    if column is None:
        return pa.array(ends - begins).cast(kind)
    match moving.function:
        case "count":
            return pa.array(_counts(column, begins, ends))
        case "sum":
            return _sums(column, begins, ends, kind)
        case "least" | "greatest":
            return _extremes(column, begins, ends, least=moving.function == "least")
        case "last":
            return _at(column, ends - 1, ends > begins)
        case "first" | "value":
            return _at(column, begins, ends > begins)


def _counts(column: pa.Array, begins: I64, ends: I64) -> I64:
    if not column.null_count:
        return ends - begins
    return _between(column.is_valid().to_numpy(zero_copy_only=False).astype(np.int64), begins, ends)


def _sums(column: pa.Array, begins: I64, ends: I64, kind: pa.DataType) -> pa.Array:
    numbers = column.fill_null(0) if column.null_count else column
    words = numbers.to_numpy(zero_copy_only=False).astype(np.int64, copy=False)
    none = _counts(column, begins, ends) == 0
    if pt.is_integer(kind):
        return pa.array(_between(words, begins, ends), mask=none)
    high, low = (_between(half, begins, ends) for half in (words >> _HALF, words & _LOW))
    shifted = high.view(np.uint64) << np.uint64(32)
    pairs = np.empty((len(high), 2), np.uint64)
    pairs[:, 0] = shifted + low.view(np.uint64)
    pairs[:, 1] = (high >> _HALF).view(np.uint64) + (pairs[:, 0] < shifted)
    valid = pa.py_buffer(np.packbits(~none, bitorder="little")) if none.any() else None
    return pa.Array.from_buffers(kind, len(high), [valid, pa.py_buffer(pairs)])


def _between(numbers: I64, begins: I64, ends: I64) -> I64:
    running = np.zeros(len(numbers) + 1, np.int64)
    np.cumsum(numbers, out=running[1:])
    between: I64 = running[ends] - running[begins]
    return between


def _extremes(column: pa.Array, begins: I64, ends: I64, *, least: bool) -> pa.Array:
    form = column_of(column)
    assert isinstance(form, Words)
    places, queue = np.empty(len(begins), np.int64), np.empty(len(column), np.int64)
    words = ~form.words[0] if least else form.words[0]
    greatest(words, form.valid, begins, ends, queue, places)
    return _at(column, places, places >= 0)


def _at(column: pa.Array, places: I64, there: Bool) -> pa.Array:
    """The values at some places; NULL where there is none."""
    return column.take(pa.array(places, mask=None if there.all() else ~there))
