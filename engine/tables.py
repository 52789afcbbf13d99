"""Tables: rows by primary key, changed by one writer, statement after statement."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from constellationdb.catalog.model import Relation
from constellationdb.connectors.relation_options import retained_us
from constellationdb.engine import batch as zset
from constellationdb.engine.arrangement import Arrangement
from constellationdb.engine.kernels.groupby import consolidate
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.relation import Follower, RelationState
from constellationdb.engine.rowstore import empty
from constellationdb.errors import NotNullViolation, UniqueViolation


class TableRules(ABC):
    """What a table demands of its rows, and where DML finds them: the table itself, or a transaction's view of it."""

    name: str
    relation: Relation
    schema: pa.Schema
    key_columns: tuple[int, ...]

    @abstractmethod
    def existing(self, rows: pa.RecordBatch, epoch: int) -> tuple[NDArray[np.int64], pa.RecordBatch]:
        """For rows whose key is in the table: (which of ``rows``, the row there now)."""

    @abstractmethod
    def everything(self, epoch: int) -> pa.RecordBatch:
        """Every row."""

    def check(self, rows: pa.RecordBatch) -> None:
        """NOT NULL of rows about to be inserted."""
        for column in self.relation.columns:
            if column.not_null and rows.column(column.name).null_count:
                index = int(np.argmax(rows.column(column.name).is_null().to_numpy(zero_copy_only=False)))
                shown = ", ".join("null" if v is None else str(v) for v in rows.slice(index, 1).to_pylist()[0].values())
                named = f'column "{column.name}" of relation "{self.relation.shown}"'
                raise NotNullViolation(
                    f"null value in {named} violates not-null constraint",
                    detail=f"Failing row contains ({shown}).",
                ).about("public", self.relation.shown, column=column.name)

    def check_unique(self, removed: pa.RecordBatch | None, added: pa.RecordBatch, epoch: int) -> None:
        """23505 when ``added`` would give a key twice, in itself or with rows that ``removed`` does not take away."""
        if not self.key_columns or not added.num_rows:
            return
        if not zset.all_different(added, self.key_columns):
            keys = encode_rows(added, self.key_columns)
            first, counts = consolidate(keys, np.ones(added.num_rows, np.int64))
            if bool((counts > 1).any()):
                self._duplicate(added, int(first[int(np.argmax(counts > 1))]))
        probe, there = self.existing(added, epoch)
        if not len(probe):
            return
        gone = set() if removed is None else set(_keys(removed, self.key_columns))
        for row, key in zip(probe, _keys(there, self.key_columns), strict=True):
            if key not in gone:
                self._duplicate(added, int(row))

    def _duplicate(self, rows: pa.RecordBatch, index: int) -> None:
        names = ", ".join(self.relation.primary_key)
        values = ", ".join(str(rows.column(c)[index].as_py()) for c in self.key_columns)
        table = self.relation.shown
        raise UniqueViolation(
            f'duplicate key value violates unique constraint "{table}_pkey"',
            detail=f"Key ({names})=({values}) already exists.",
        ).about("public", table, constraint=f"{table}_pkey")


class TableState(TableRules, RelationState):
    """A relation whose contents DML changes. ``key_columns`` are the primary key's, or empty."""

    contents: Arrangement

    def __init__(self, relation: Relation, epoch: int, writer: Follower | None = None) -> None:
        schema = relation.schema
        self.relation = relation
        self.key_columns = key_columns(relation, schema)
        contents = Arrangement(schema, self.key_columns or None, deferred=True)
        RelationState.__init__(self, relation.name, schema, contents, epoch, writer, retained_us(relation.options))

    def existing(self, rows: pa.RecordBatch, epoch: int) -> tuple[NDArray[np.int64], pa.RecordBatch]:
        probe, entries = self.contents.lookup(encode_rows(rows, self.key_columns), epoch)
        return probe, self.contents.take(entries)

    def everything(self, epoch: int) -> pa.RecordBatch:
        rows = self.version().scan(epoch).combine_chunks().to_batches()
        return rows[0] if rows else empty(self.schema)


def key_columns(relation: Relation, schema: pa.Schema) -> tuple[int, ...]:
    return tuple(schema.get_field_index(name) for name in relation.primary_key)


def _keys(rows: pa.RecordBatch, columns: tuple[int, ...]) -> list[bytes]:
    encoded = encode_rows(rows, columns)
    return [encoded.key(i) for i in range(len(encoded))]


def delta_of(
    removed: pa.RecordBatch | None, added: pa.RecordBatch | None, *, unique: bool = False
) -> pa.RecordBatch | None:
    """-removed +added, netted; ``unique``: no two rows of ``added`` are equal."""
    if not (removed is not None and removed.num_rows) and added is not None and added.num_rows:
        different = unique or zset.all_different(added, range(added.num_columns))
        return zset.with_weights(added, 1) if different else zset.netted(zset.with_weights(added, 1))
    parts = [zset.with_weights(rows, sign) for rows, sign in ((removed, -1), (added, 1)) if rows is not None]
    parts = [p for p in parts if p.num_rows]
    return zset.netted(pa.concat_batches(parts)) if parts else None
