"""What a lookup join emitted for each input row, so that a retraction undoes exactly that."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from constellationdb.engine import batch as zset
from constellationdb.engine.batch import Delta
from constellationdb.engine.canonical_order import bodies, order_of
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.operators.followed import FollowedArrangement
from constellationdb.errors import InternalError


class EmittedRows:
    """(input row, whether it was emitted, the columns it got) with counts, found by input row."""

    def __init__(self, inputs: pa.Schema, columns: pa.Schema) -> None:
        fields = [*inputs, pa.field("emitted", pa.bool_()), *columns]
        self._width = len(inputs)
        self._schema = pa.schema([pa.field(f"e{i}", f.type) for i, f in enumerate(fields)])
        self._rows = FollowedArrangement(self._schema, tuple(range(self._width)))
        self._epoch = 0

    def remember(
        self,
        inputs: pa.RecordBatch,
        columns: pa.RecordBatch,
        emitted: NDArray[np.bool_],
        weights: NDArray[np.int64] | None,
        epoch: int,
    ) -> None:
        self._epoch = epoch
        rows = pa.RecordBatch.from_arrays([*inputs.columns, pa.array(emitted), *columns.columns], schema=self._schema)
        self._rows.apply(rows if weights is None else zset.with_weights(rows, weights), epoch)

    def retract(self, inputs: pa.RecordBatch, counts: NDArray[np.int64], output: pa.Schema, epoch: int) -> Delta:
        """Undo ``counts`` copies of each row: the (negative) change of the output."""
        self._epoch = epoch
        probe, entries = self._rows.lookup(encode_rows(inputs, range(self._width)), self._epoch)
        chosen, taken = self._choose(probe, entries, counts)
        rows = self._rows.take(chosen)
        self._rows.apply(zset.with_weights(rows, -taken), epoch)
        self._rows.compact(epoch)
        emitted = rows.column(self._width).to_numpy(zero_copy_only=False)
        if not emitted.any():
            return None
        columns = [c for i, c in enumerate(rows.columns) if i != self._width]
        change = pa.RecordBatch.from_arrays(columns, schema=output)
        return zset.take(zset.with_weights(change, -taken), np.flatnonzero(emitted))

    def _choose(
        self, probe: NDArray[np.int64], entries: NDArray[np.int64], counts: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Of copies that met different answers those whose answers come first: a restart must choose the same."""
        order = self._order(probe, entries)
        probe, entries = probe[order], entries[order]
        left = counts.copy()
        chosen: list[int] = []
        taken: list[int] = []
        weights = self._rows.weight_of(entries)
        for place in range(len(entries)):
            take = min(int(left[probe[place]]), int(weights[place]))
            if take:
                left[probe[place]] -= take
                chosen.append(int(entries[place]))
                taken.append(take)
        if left.any():
            raise InternalError("a row was taken back that a lookup join never saw")
        return np.array(chosen, np.int64), np.array(taken, np.int64)

    def _order(self, probe: NDArray[np.int64], entries: NDArray[np.int64]) -> NDArray[np.int64]:
        rows = self._rows.take(entries)
        met = encode_rows(rows, range(self._width, rows.num_columns))
        return order_of({"probe": probe, "met": bodies(met)})

    def snapshot(self) -> pa.RecordBatch:
        return self._rows.snapshot()

    def restore(self, rows: pa.RecordBatch, epoch: int) -> None:
        self._rows.restore(rows, epoch)
        self._epoch = epoch

    def changes(self) -> pa.RecordBatch | None:
        return self._rows.news()

    def patch(self, changes: pa.RecordBatch, epoch: int) -> None:
        self._rows.patch(changes, epoch)
