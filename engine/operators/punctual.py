"""Rows that come in time, and those that come late: these are dropped, and counted."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.batch import Delta
from constellationdb.engine.kernels.rows import I64
from constellationdb.engine.operators.base import ENDED, Context
from constellationdb.planner import plan


def ends_of(times: pa.Array | pa.ChunkedArray, offset_us: int) -> I64:
    """When the watermark closes each of these times; a NULL and infinity never."""
    micros = zset.micros(times)
    ends: I64 = np.where(micros > ENDED - max(offset_us, 0), ENDED, micros + offset_us)
    if times.null_count:
        ends = np.where(times.is_valid().to_numpy(zero_copy_only=False), ends, ENDED)
    return ends


def punctual(batch: Delta, time: plan.Column | None, context: Context) -> Delta:
    """The rows that the watermark of the epoch before had not closed; of nothing where none is."""
    if time is None or batch is None or batch.num_rows == 0:
        return batch
    ends = ends_of(batch.column(time.index), time.offset_us)
    late = (ends <= context.watermark_before) & (ends < ENDED)
    dropped = int(late.sum())
    context.dropped += dropped
    context.used += batch.num_rows - dropped
    return zset.take(batch, np.flatnonzero(~late)) if dropped else batch
