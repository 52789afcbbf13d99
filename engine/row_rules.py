"""NOT NULL and CHECK: what each row of a table must be, whatever else the table holds."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace
from numpy.typing import NDArray

from constellationdb.catalog.model import Check, Relation, Unique
from constellationdb.engine import batch as zset
from constellationdb.engine import constraint_errors
from constellationdb.engine.kernels.groupby import consolidate
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.row_expressions import RowExpressions
from constellationdb.errors import ConstellationError

SchemaName: TypeAlias = Callable[[int], str]


class RowRules:
    """Of one relation as it is defined; ``schema_name``: what the schema of an oid is called, for its errors."""

    def __init__(self, relation: Relation, schema_name: SchemaName) -> None:
        self.relation = relation
        self._schema_name = schema_name
        self._checks = sorted(relation.checks, key=lambda check: check.name)

    def check_existing(self, rows: pa.RecordBatch) -> None:
        """The same, and what has to be unique, of rows that are there already, in the words of ALTER TABLE."""
        relation, schema = self.relation, self._schema
        for column in relation.columns:
            if column.not_null and rows.column(column.name).null_count:
                raise constraint_errors.has_nulls(schema, relation, column.name)
        for check, holds in zip(self._checks, self._holds(rows), strict=True):
            if pc.any(pc.invert(pc.fill_null(holds, True))).as_py():
                raise constraint_errors.broken(schema, relation, check.name)
        key = (Unique(relation.primary_key_name, relation.primary_key),) if relation.primary_key else ()
        for unique in (*key, *relation.uniques):
            self._check_different(unique, rows)

    @property
    def _schema(self) -> str:
        return self._schema_name(self.relation.namespace)

    def check(self, rows: pa.RecordBatch) -> None:
        """Raise what the first row says that breaks a rule; of its rules NOT NULL comes first."""
        problems = [found for found in (self._nulls(rows), self._unchecked(rows)) if found is not None]
        if problems:
            raise min(problems, key=lambda problem: problem[0])[1]

    def _nulls(self, rows: pa.RecordBatch) -> tuple[int, ConstellationError] | None:
        first: tuple[int, str] | None = None
        for column in self.relation.columns:
            if column.not_null and (values := rows.column(column.name)).null_count:
                row = int(np.argmax(values.is_null().to_numpy(zero_copy_only=False)))
                if first is None or row < first[0]:
                    first = (row, column.name)
        if first is None:
            return None
        return first[0], constraint_errors.not_null(self._schema, self.relation, first[1], rows, first[0])

    @cached_property
    def _expressions(self) -> RowExpressions:
        return RowExpressions(self.relation, [check.expression for check in self._checks])

    def _holds(self, rows: pa.RecordBatch) -> list[pa.Array]:
        return list(self._expressions.values(rows).columns) if self._checks else []

    def _unchecked(self, rows: pa.RecordBatch) -> tuple[int, ConstellationError] | None:
        if not self._checks or not rows.num_rows:
            return None
        first: tuple[int, Check] | None = None
        for check, holds in zip(self._checks, self._holds(rows), strict=True):
            broken = pc.invert(pc.fill_null(holds, True)).to_numpy(zero_copy_only=False)
            if broken.any() and (first is None or int(np.argmax(broken)) < first[0]):
                first = (int(np.argmax(broken)), check)
        if first is None:
            return None
        return first[0], constraint_errors.check(self._schema, self.relation, first[1].name, rows, first[0])

    def _check_different(self, unique: Unique, rows: pa.RecordBatch) -> None:
        columns = tuple(rows.schema.get_field_index(name) for name in unique.columns)
        some = without_nulls(rows, columns)
        if some.num_rows and not zset.all_different(some, columns):
            first, counts = consolidate(encode_rows(some, columns), np.ones(some.num_rows, np.int64))
            if bool((counts > 1).any()):
                row = int(first[int(np.argmax(counts > 1))])
                raise constraint_errors.duplicated(self._schema, self.relation, unique.name, some, columns, row)


def stricter_rules(before: Relation | None, after: Relation, schema_name: SchemaName) -> RowRules | None:
    """The rules of ``after`` that ``before`` does not have; None when there are none."""
    if before is None:
        return None
    strict = {column.name for column in before.columns if column.not_null}
    columns = tuple(c for c in after.columns if c.not_null and c.name not in strict)
    known = {check.expression for check in before.checks}
    checks = tuple(check for check in after.checks if check.expression not in known)
    uniques = tuple(u for u in after.uniques if u.columns not in {known.columns for known in before.uniques})
    key = after.primary_key if after.primary_key != before.primary_key else ()
    if not (columns or checks or uniques or key):
        return None
    return RowRules(replace(after, columns=columns, checks=checks, uniques=uniques, primary_key=key), schema_name)


def nulls_aside(rows: pa.RecordBatch, columns: tuple[int, ...]) -> NDArray[np.int64]:
    """The rows that have a value in each of the columns: a NULL is different from everything."""
    mask = np.ones(rows.num_rows, np.bool_)
    for column in columns:
        if rows.column(column).null_count:
            mask &= rows.column(column).is_valid().to_numpy(zero_copy_only=False)
    return np.flatnonzero(mask)


def without_nulls(rows: pa.RecordBatch, columns: tuple[int, ...]) -> pa.RecordBatch:
    kept = nulls_aside(rows, columns)
    return rows if len(kept) == rows.num_rows else zset.take(rows, kept)
