"""Rows in the order of a window: partition after partition, peers side by side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from constellationdb.engine.kernels.keyindex import KeyIndex
from constellationdb.engine.kernels.orderkeys import order_keys
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.kernels.rows import I64, Bool
from constellationdb.planner import plan


@dataclass(frozen=True)
class Ordered:
    """``places``: which row of the input stands where. All else is by place; ends are exclusive.

    ``groups``: the number of each row's peers, whose first and end are in ``group_firsts`` and ``group_ends``.
    """

    places: I64
    firsts: I64
    ends: I64
    groups: I64
    group_firsts: I64
    group_ends: I64

    def __len__(self) -> int:
        return len(self.places)


def ordered(rows: pa.RecordBatch, part: plan.FrameSet) -> Ordered:
    slots = _numbered(rows, part.keys)
    places = _sorted(rows, slots, part)
    slots = slots[places]
    peers = _numbered(rows, [term.column for term in part.order])[places]
    new_partition = _begins(slots)
    new_group = new_partition | _begins(peers)
    firsts, ends = _stretches(new_partition)
    partitions = np.cumsum(new_partition) - 1
    group_firsts, group_ends = _stretches(new_group)
    groups = np.cumsum(new_group) - 1
    return Ordered(places, firsts[partitions], ends[partitions], groups, group_firsts, group_ends)


def _numbered(rows: pa.RecordBatch, columns: tuple[int, ...] | list[int]) -> I64:
    """The same number for rows that agree in these columns."""
    if not columns:
        return np.zeros(rows.num_rows, np.int64)
    return KeyIndex().upsert(encode_rows(rows, columns))[0]


def _sorted(rows: pa.RecordBatch, slots: I64, part: plan.FrameSet) -> I64:
    if not part.order and not part.ties:
        return np.argsort(slots, kind="stable")
    keys = order_keys(rows, part.order, part.ties)
    offsets = pa.py_buffer(np.ascontiguousarray(keys.offsets))
    data = pa.Array.from_buffers(pa.large_binary(), rows.num_rows, [None, offsets, pa.py_buffer(keys.data)])
    table = pa.table({"slot": slots, "key": data})
    found: I64 = pc.sort_indices(table, sort_keys=[("slot", "ascending"), ("key", "ascending")]).to_numpy()
    return found.astype(np.int64)


def _begins(numbers: I64) -> Bool:
    begins: Bool = np.ones(len(numbers), np.bool_)
    begins[1:] = numbers[1:] != numbers[:-1]
    return begins


def _stretches(begins: Bool) -> tuple[I64, I64]:
    firsts = np.flatnonzero(begins)
    return firsts, np.append(firsts[1:], len(begins))
