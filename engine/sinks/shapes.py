"""Changes in the shape a target wants: rows that are added, rows that replace each other, or what Debezium says.

append     the rows                                        of a relation that never takes one back
upsert     of each key that changed, what it came to       the row it has now, or that it is gone
debezium   before, after, op, ts_ms, source                every change: with a key an update is one of them
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from constellationdb.engine import batch as zset
from constellationdb.engine.changelog import Change
from constellationdb.engine.kernels.groupby import consolidate
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.errors import SinkFailure

_SOURCE = pa.struct([("relation", pa.string()), ("epoch", pa.int64())])


def appended(changes: Sequence[Change]) -> pa.RecordBatch | None:
    parts = [change.delta for change in changes if change.delta is not None]
    for part in parts:
        if (weights := zset.weights(part)) is not None and bool((weights < 0).any()):
            raise SinkFailure("a row was taken back, which a sink of type append cannot tell")
    whole = zset.concat(parts)
    return None if whole is None else zset.expanded(whole)


def upserted(changes: Sequence[Change], key: Sequence[int]) -> tuple[pa.RecordBatch, pa.RecordBatch] | None:
    """(the rows that the keys have now, the keys that have none).

    Of all that happened to a key the last counts. Netting would not do: what was added and taken away again leaves
    nothing, although a target that has seen a part of it must forget the row.
    """
    parts = [part for change in reversed(changes) if change.delta is not None for part in _latest_first(change.delta)]
    if not parts:
        return None
    whole = pa.concat_batches([zset.named_like(part, parts[0].schema) for part in parts])
    first, _ = consolidate(encode_rows(zset.data(whole), list(key)), np.ones(whole.num_rows, np.int64))
    last = zset.take(whole, np.sort(first))
    weights, rows = zset.weights(last), zset.data(last)
    assert weights is not None
    if bool((weights > 1).any()):
        raise SinkFailure("a row is there more than once, so its key is none")
    gone = zset.take(rows, np.flatnonzero(weights < 0))
    return zset.take(rows, np.flatnonzero(weights > 0)), gone.select(list(key))


def _latest_first(delta: pa.RecordBatch) -> list[pa.RecordBatch]:
    """An epoch's change: what came is what is there, whatever went."""
    delta = zset.weighted(delta)
    weights = zset.weights(delta)
    assert weights is not None
    return [zset.take(delta, np.flatnonzero(weights > 0)), zset.take(delta, np.flatnonzero(weights < 0))]


def debezium_schema(columns: pa.Schema) -> pa.Schema:
    row = pa.struct(list(columns))
    return pa.schema([("before", row), ("after", row), ("op", pa.string()), ("ts_ms", pa.int64()), ("source", _SOURCE)])


def debezium(
    changes: Sequence[Change], key: Sequence[int], columns: pa.Schema, relation: str, *, snapshot: bool = False
) -> pa.RecordBatch | None:
    """``snapshot``: the rows were there before, so each is an ``r``."""
    parts = [_told(change, key, columns, relation, snapshot) for change in changes if change.delta is not None]
    return pa.concat_batches(parts) if parts else None


def _told(change: Change, key: Sequence[int], columns: pa.Schema, relation: str, snapshot: bool) -> pa.RecordBatch:
    assert change.delta is not None
    rows = zset.named_like(zset.data(change.delta), columns)
    weights = zset.weights(change.delta)
    counts = np.ones(rows.num_rows, np.int64) if weights is None else weights
    gone = np.repeat(np.arange(len(counts)), np.where(counts < 0, -counts, 0))
    come = np.repeat(np.arange(len(counts)), np.where(counts > 0, counts, 0))
    before, after = _paired(rows, gone, come, key)
    ops = np.where(before < 0, "r" if snapshot else "c", np.where(after < 0, "d", "u"))
    count = len(ops)
    source = pa.StructArray.from_arrays(
        [pa.array([relation] * count, pa.string()), pa.array(np.full(count, change.epoch))], fields=list(_SOURCE)
    )
    at = pa.array(np.full(count, change.at_us // 1000), pa.int64())
    told = [_structs(rows, before), _structs(rows, after), pa.array(ops.tolist(), pa.string()), at, source]
    return pa.RecordBatch.from_arrays(told, schema=debezium_schema(columns))


def _paired(
    rows: pa.RecordBatch, gone: NDArray[np.int64], come: NDArray[np.int64], key: Sequence[int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The places of the rows before and after each change, -1 for none: deletes, then updates and inserts."""
    if not (key and len(gone) and len(come)):
        nothing = np.full
        return (
            np.concatenate([gone, nothing(len(come), -1)]).astype(np.int64),
            np.concatenate([nothing(len(gone), -1), come]).astype(np.int64),
        )
    keys = encode_rows(rows, list(key))
    left = {keys.key(int(place)): int(place) for place in gone}
    befores = [left.pop(keys.key(int(place)), -1) for place in come]
    deleted = list(left.values())
    return np.array(deleted + befores, np.int64), np.array([-1] * len(deleted) + come.tolist(), np.int64)


def _structs(rows: pa.RecordBatch, places: NDArray[np.int64]) -> pa.StructArray:
    """Rows as values, NULL where the place is -1."""
    missing = places < 0
    at = pa.array(np.where(missing, 0, places), pa.int64(), mask=missing)
    taken = [column.take(at) for column in rows.columns]
    return pa.StructArray.from_arrays(taken, fields=list(rows.schema), mask=pa.array(missing))
