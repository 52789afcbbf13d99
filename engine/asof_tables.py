"""An ASOF join of two tables, for a snapshot: each row of the left with the closest of the right."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from constellationdb.engine.closest import NOTHING, Timeline, ticks
from constellationdb.engine.kernels.keyindex import KeyIndex
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.kernels.rows import I64
from constellationdb.planner.asof_stages import AsofStage
from constellationdb.planner.plan import AsofMatch


def joined(stage: AsofStage, left: pa.Table, right: pa.Table) -> pa.Table:
    mine, theirs = whole(left), whole(right)
    entries = _closest(stage.match, mine, theirs, theirs.num_columns - len(stage.match.right_keys) - 1)
    if stage.match.join_type == "inner":
        kept = np.flatnonzero(entries >= 0)
        mine, entries = mine.take(pa.array(kept)), entries[kept]
    places = pa.array(entries, pa.int64(), mask=entries < 0)
    width = mine.num_columns
    columns = [mine.column(c) if c < width else theirs.column(c - width).take(places) for c in stage.columns]
    return pa.table(columns, schema=stage.schema) if columns else pa.table({"c0": pa.nulls(len(entries))})


def _closest(match: AsofMatch, left: pa.RecordBatch, right: pa.RecordBatch, width: int) -> I64:
    """For each row of the left the row of the right; ``width`` columns of that are the relation's own."""
    times, valid = ticks(right.column(match.right_time))
    own, known = ticks(left.column(match.left_time))
    for a, b, null_safe in zip(match.left_keys, match.right_keys, match.null_safe, strict=True):
        if not null_safe:
            known = known & left.column(a).is_valid().to_numpy(zero_copy_only=False)
            valid = valid & right.column(b).is_valid().to_numpy(zero_copy_only=False)
    index = KeyIndex()
    candidates, asked = np.flatnonzero(valid), np.flatnonzero(known)
    entries = np.full(left.num_rows, NOTHING, np.int64)
    if not len(candidates) or not len(asked):
        return entries
    rows = right.take(pa.array(candidates))
    keys, _ = index.upsert(encode_rows(rows, match.right_keys))
    line = Timeline(keys, times[candidates], rows.select(range(width)))
    probed = index.probe(encode_rows(left.take(pa.array(asked)), match.left_keys))
    at = line.find(probed, own[asked], match.direction, inclusive=match.inclusive)
    entries[asked] = np.where(at >= 0, candidates[np.maximum(at, 0)], NOTHING)
    return entries


def whole(table: pa.Table) -> pa.RecordBatch:
    """All rows as one batch."""
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_arrays(
        [pa.array([], kind) for kind in table.schema.types], schema=table.schema
    )  # fmt: skip
