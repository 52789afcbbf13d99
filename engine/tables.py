"""Tables: rows by primary key, changed by one writer, statement after statement."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from constellationdb.catalog.model import Relation
from constellationdb.connectors.relation_options import retained_us
from constellationdb.engine import batch as zset
from constellationdb.engine import constraint_errors
from constellationdb.engine.arrangement import Arrangement
from constellationdb.engine.kernels.groupby import consolidate
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.relation import Follower, RelationState
from constellationdb.engine.row_rules import RowRules, SchemaName, without_nulls
from constellationdb.engine.rowstore import empty
from constellationdb.errors import UniqueViolation


class TableRules(ABC):
    """What a table demands of its rows, and where DML finds them: the table itself, or a transaction's view of it."""

    name: str
    relation: Relation
    schema: pa.Schema
    key_columns: tuple[int, ...]
    schema_name: SchemaName

    _rules: RowRules | None = None

    @abstractmethod
    def existing(
        self, rows: pa.RecordBatch, epoch: int, columns: tuple[int, ...]
    ) -> tuple[NDArray[np.int64], pa.RecordBatch]:
        """For rows whose values in ``columns`` are in the table: (which of ``rows``, the row there now)."""

    @abstractmethod
    def everything(self, epoch: int) -> pa.RecordBatch:
        """Every row."""

    @property
    def unique_columns(self) -> dict[str, tuple[int, ...]]:
        """What must be different in each row, by the name of the constraint."""
        found = {self.relation.primary_key_name: self.key_columns} if self.key_columns else {}
        index = self.schema.get_field_index
        return found | {unique.name: tuple(map(index, unique.columns)) for unique in self.relation.uniques}

    def check(self, rows: pa.RecordBatch) -> None:
        """NOT NULL and CHECK of rows about to be inserted."""
        if self._rules is None or self._rules.relation is not self.relation:
            self._rules = RowRules(self.relation, self.schema_name)
        self._rules.check(rows)

    def check_unique(self, removed: pa.RecordBatch | None, added: pa.RecordBatch, epoch: int) -> None:
        """23505 when ``added`` would give a key twice, in itself or with rows that ``removed`` does not take away."""
        if not added.num_rows:
            return
        if self.key_columns:
            self._check_unique(self.relation.primary_key_name, self.key_columns, removed, added, epoch)
        for name, columns in self.unique_columns.items() if self.relation.uniques else ():
            if columns is not self.key_columns:
                self._check_unique(name, columns, removed, without_nulls(added, columns), epoch)

    def _check_unique(
        self, name: str, columns: tuple[int, ...], removed: pa.RecordBatch | None, added: pa.RecordBatch, epoch: int
    ) -> None:
        if not added.num_rows:
            return
        if not zset.all_different(added, columns):
            keys = encode_rows(added, columns)
            first, counts = consolidate(keys, np.ones(added.num_rows, np.int64))
            if bool((counts > 1).any()):
                raise self._duplicate(name, added, columns, int(first[int(np.argmax(counts > 1))]))
        probe, there = self.existing(added, epoch, columns)
        if not len(probe):
            return
        gone = set() if removed is None else set(_keys(removed, columns))
        for row, key in zip(probe, _keys(there, columns), strict=True):
            if key not in gone:
                raise self._duplicate(name, added, columns, int(row))

    def _duplicate(self, name: str, rows: pa.RecordBatch, columns: tuple[int, ...], row: int) -> UniqueViolation:
        schema = self.schema_name(self.relation.namespace)
        return constraint_errors.unique(schema, self.relation, name, rows, columns, row)


class TableState(TableRules, RelationState):
    """A relation whose contents DML changes. ``key_columns`` are the primary key's, or empty."""

    contents: Arrangement

    def __init__(self, relation: Relation, epoch: int, writer: Follower, schema_name: SchemaName) -> None:
        schema = relation.schema
        self.relation = relation
        self.schema_name = schema_name
        self.key_columns = key_columns(relation, schema)
        contents = Arrangement(schema, self.key_columns or None, deferred=True)
        RelationState.__init__(self, relation.name, schema, contents, epoch, writer, retained_us(relation.options))

    def existing(
        self, rows: pa.RecordBatch, epoch: int, columns: tuple[int, ...]
    ) -> tuple[NDArray[np.int64], pa.RecordBatch]:
        if columns == self.key_columns:
            probe, entries = self.contents.lookup(encode_rows(rows, columns), epoch)
            return probe, self.contents.take(entries)
        index = self.point_index(columns)
        assert index is not None, "a table is arranged"
        found = index.find(key_rows(rows, columns), epoch)
        assert found is not None, "the epoch under construction is kept"
        return found

    def everything(self, epoch: int) -> pa.RecordBatch:
        rows = self.version().scan(epoch).combine_chunks().to_batches()
        return rows[0] if rows else empty(self.schema)


def key_columns(relation: Relation, schema: pa.Schema) -> tuple[int, ...]:
    return tuple(schema.get_field_index(name) for name in relation.primary_key)


def key_rows(rows: pa.RecordBatch, columns: tuple[int, ...]) -> pa.RecordBatch:
    """The rows' values in some columns, in the order of ``columns``."""
    fields = pa.schema([rows.schema.field(column) for column in columns])
    return pa.RecordBatch.from_arrays([rows.column(column) for column in columns], schema=fields)


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
