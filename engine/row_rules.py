"""NOT NULL and CHECK: what each row of a table must be, whatever else the table holds."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from constellationdb.catalog.model import Check, Relation
from constellationdb.engine import constraint_errors
from constellationdb.engine.row_expressions import RowExpressions
from constellationdb.errors import ConstellationError


class RowRules:
    """Of one relation as it is defined."""

    def __init__(self, relation: Relation) -> None:
        self.relation = relation
        self._checks = sorted(relation.checks, key=lambda check: check.name)

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
        return first[0], constraint_errors.not_null(self.relation, first[1], rows, first[0])

    @cached_property
    def _expressions(self) -> RowExpressions:
        return RowExpressions(self.relation, [check.expression for check in self._checks])

    def _unchecked(self, rows: pa.RecordBatch) -> tuple[int, ConstellationError] | None:
        if not self._checks or not rows.num_rows:
            return None
        first: tuple[int, Check] | None = None
        for check, holds in zip(self._checks, self._expressions.values(rows).columns, strict=True):
            broken = pc.invert(pc.fill_null(holds, True)).to_numpy(zero_copy_only=False)
            if broken.any() and (first is None or int(np.argmax(broken)) < first[0]):
                first = (int(np.argmax(broken)), check)
        if first is None:
            return None
        return first[0], constraint_errors.check(self.relation, first[1].name, rows, first[0])
