"""A table as one transaction sees it: the committed rows of an epoch, without what it removed, with what it added.

    committed rows ─ removed + added        removed ⊆ committed rows, added are its own

Only the difference is kept, so a statement in a transaction costs what it
touches, not what the table holds.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from constellationdb.catalog.model import Relation
from constellationdb.engine import batch as zset
from constellationdb.engine.arrangement import Arrangement
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.point_index import PointIndex
from constellationdb.engine.reshape import Reshape
from constellationdb.engine.row_rules import SchemaName
from constellationdb.engine.rowstore import empty
from constellationdb.engine.tables import TableRules, TableState, key_columns, key_rows
from constellationdb.errors import HistoryExpired


class TableOverlay(TableRules):
    """``committed`` None: the transaction created the table itself; ``reshape``: it has changed its columns."""

    def __init__(
        self,
        relation: Relation,
        committed: TableState | None,
        schema_name: SchemaName,
        reshape: Reshape | None = None,
    ) -> None:
        self.name = relation.name
        self.relation = relation
        self.committed = committed
        self.schema_name = schema_name
        self.reshape = reshape
        self.schema = relation.schema if committed is None or reshape is not None else committed.schema
        self.key_columns = key_columns(relation, self.schema)
        self._added = Arrangement(self.schema, self.key_columns or None)
        self._removed = Arrangement(self.schema)
        self._step = 1  # stamps of the two: a statement's changes are seen by the next
        self._delta: zset.Delta = None
        self._indexes: dict[tuple[int, ...], PointIndex] = {}  # of its own rows, by the columns of unique constraints

    @property
    def delta(self) -> zset.Delta:
        """What COMMIT has to change."""
        if self._delta is None and (self._added.live or self._removed.live):
            self._delta = zset.netted(
                pa.concat_batches([self._added.snapshot(), zset.negate(self._removed.snapshot())])
            )
        return self._delta

    def write(self, removed: pa.RecordBatch | None, added: pa.RecordBatch | None) -> None:
        self._delta = None
        self._step += 1
        if removed is not None and (gone := zset.netted(removed)) is not None:
            self._remove(zset.data(gone), zset.weights(gone))
        if added is not None and added.num_rows:
            self._added.apply(zset.named_like(added, self.schema), self._step)

    def take_over(self, delta: pa.RecordBatch) -> None:
        """The changes so far, of an overlay that this one takes the place of."""
        weights, rows = zset.weights(delta), zset.data(delta)
        assert weights is not None
        gone, come = np.flatnonzero(weights < 0), np.flatnonzero(weights > 0)
        removed = zset.expanded(zset.with_weights(zset.take(rows, gone), -weights[gone]))
        self.write(removed, zset.expanded(zset.with_weights(zset.take(rows, come), weights[come])))

    def _remove(self, rows: pa.RecordBatch, counts: NDArray[np.int64] | None) -> None:
        """Its own rows first: they are undone, the others are noted."""
        assert counts is not None
        rows = zset.named_like(rows, self.schema)
        own = np.minimum(self._added.find(rows, self._step), counts)
        for target, weight in ((self._added, -own), (self._removed, counts - own)):
            chosen = np.flatnonzero(weight)
            if len(chosen):
                target.apply(zset.with_weights(zset.take(rows, chosen), weight[chosen]), self._step)

    def existing(
        self, rows: pa.RecordBatch, epoch: int, columns: tuple[int, ...]
    ) -> tuple[NDArray[np.int64], pa.RecordBatch]:
        probe, own = self._own(rows, columns)
        if self.committed is None:
            return probe, own
        there, found = self._committed(rows, epoch, columns)
        kept = np.flatnonzero(self._removed.find(found, self._step) == 0)
        return np.concatenate([probe, there[kept]]), pa.concat_batches([own, zset.take(found, kept)])

    def _own(self, rows: pa.RecordBatch, columns: tuple[int, ...]) -> tuple[NDArray[np.int64], pa.RecordBatch]:
        if columns == self.key_columns:
            probe, entries = self._added.lookup(encode_rows(rows, columns), self._step)
            return probe, self._added.take(entries)
        if columns not in self._indexes:
            self._indexes[columns] = PointIndex(columns, self._added)
        found = self._indexes[columns].find(key_rows(rows, columns), self._step)
        assert found is not None, "nothing of it is compacted"
        return found

    def _committed(
        self, rows: pa.RecordBatch, epoch: int, columns: tuple[int, ...]
    ) -> tuple[NDArray[np.int64], pa.RecordBatch]:
        assert self.committed is not None
        before = columns if self.reshape is None else self.reshape.old(columns)
        if before is None:  # a new column: all rows have the same there, if they are not changed already
            return self._among(rows, self.everything_committed(epoch), columns)
        index = self.committed.point_index(before)
        assert index is not None, "a table is arranged"
        found = index.find(key_rows(rows, columns), epoch)
        if found is None:
            raise HistoryExpired(f'epoch {epoch} of "{self.name}" is no longer kept', hint="run the transaction again")
        there = found[1] if self.reshape is None else self.reshape.rows(found[1])
        return found[0], zset.named_like(there, self.schema)

    def _among(
        self, rows: pa.RecordBatch, there: pa.RecordBatch, columns: tuple[int, ...]
    ) -> tuple[NDArray[np.int64], pa.RecordBatch]:
        entries = Arrangement(self.schema, columns)
        entries.apply(there, 1)
        probe, found = entries.lookup(encode_rows(rows, columns), 1)
        return probe, entries.take(found)

    def everything_committed(self, epoch: int) -> pa.RecordBatch:
        """Every row of the others, in the columns that the table has here."""
        if self.committed is None:
            return empty(self.schema)
        rows = self.committed.everything(epoch)
        return rows if self.reshape is None else self.reshape.rows(rows)

    def everything(self, epoch: int) -> pa.RecordBatch:
        table = self._over(pa.Table.from_batches([self.everything_committed(epoch)]))
        return table.combine_chunks().to_batches()[0] if table.num_rows else empty(self.schema)

    def over(self, rows: pa.RecordBatch | pa.Table) -> pa.Table:
        """``rows`` of the table, as others have them, with the changes on top."""
        table = rows if isinstance(rows, pa.Table) else pa.Table.from_batches([rows])
        return self._over(table if self.reshape is None or self.committed is None else self.reshape.table(table))

    def _over(self, table: pa.Table) -> pa.Table:
        delta = self.delta
        if delta is None:
            return table
        if not self._removed.live:
            return pa.concat_tables([table, pa.Table.from_batches([zset.expanded(delta)], self.schema)])
        whole = [zset.with_weights(b, 1) for b in table.to_batches()]
        left = zset.netted(pa.concat_batches([*whole, zset.named_like(delta, _weighted(self.schema))]))
        return self.schema.empty_table() if left is None else pa.Table.from_batches([zset.expanded(left)], self.schema)


def _weighted(schema: pa.Schema) -> pa.Schema:
    return schema.append(pa.field(zset.WEIGHT, pa.int64()))
