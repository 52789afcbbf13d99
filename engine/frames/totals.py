"""Counts and sums of integers over frames: the difference of two running totals, however many rows a frame has."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from constellationdb.engine.frames.bounds import Frames
from constellationdb.engine.kernels.rows import I64
from constellationdb.planner import plan

_GREATEST = 2.0**62  # no running total comes near the end of the integers
_EXACT = 2.0**53  # and a double still is every integer


def total(measure: plan.Measure, output: pa.DataType, frames: Frames, seen: pa.RecordBatch) -> pa.Array | None:
    """A measure of every row's frame of ``seen``; None where it is no such total."""
    if measure.kind not in ("count", "sum", "avg") or measure.more:
        return None
    if measure.argument < 0:
        return pa.array(frames.sizes)
    column = seen.column(measure.argument)
    counts = _summed(frames, column.is_valid().to_numpy(zero_copy_only=False).astype(np.int64))
    if measure.kind == "count":
        return pa.array(counts)
    if not pt.is_signed_integer(column.type):
        return None
    values = pc.fill_null(column.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
    if float(np.abs(values.astype(np.float64)).sum()) >= (_EXACT if measure.kind == "avg" else _GREATEST):
        return None
    sums = _summed(frames, values)
    if measure.kind == "sum":
        return pa.array(sums, mask=counts == 0).cast(output)
    return pa.array(sums / np.maximum(counts, 1), mask=counts == 0)


def _summed(frames: Frames, values: I64) -> I64:
    upto = np.append(0, np.cumsum(values))
    before = upto[frames.firsts + frames.before] - upto[frames.firsts]
    behind = upto[frames.seconds + frames.behind] - upto[frames.seconds]
    found: I64 = before + frames.itself * values + behind
    return found
