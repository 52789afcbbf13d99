"""What a row holds in the columns that nobody gave a value for: defaults, values of sequences, GENERATED ones.

DEFAULT 7, DEFAULT now()                     one value for all rows of a statement
serial, IDENTITY, DEFAULT nextval('s')       the next values of the sequence
DEFAULT gen_random_uuid()                    computed for each row
GENERATED ALWAYS AS (a * b)                  computed of the row, when all the rest of it is there
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from constellationdb.catalog.model import ColumnDefinition, Relation
from constellationdb.catalog.text.zones import UTC_ZONE, zone_named
from constellationdb.engine.assignment import assigned, check_assignments
from constellationdb.engine.lengths import fitted
from constellationdb.engine.reads import evaluate_constant, execute
from constellationdb.engine.row_expressions import RowExpressions
from constellationdb.errors import ConstellationError
from constellationdb.planner import statements as st
from constellationdb.planner.column_expressions import is_volatile, string_constant
from constellationdb.planner.literals import to_array
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.snapshot import SnapshotPlan

# Plans a SELECT over the catalog and extra relations; the clause is what its list stands for.
Plan: TypeAlias = Callable[[st.Query, dict[str, PlannedRelation], str], SnapshotPlan]
# The next values of a sequence: its name, how many.
Take: TypeAlias = Callable[[str, int], list[int]]

_EACH = "#each"
_ONE_COLUMN = pa.schema([("n", pa.int64())])


class ColumnDefaults:
    """Of one table for one statement; ``zone`` is the session's, by name."""

    def __init__(self, relation: Relation, plan: Plan, take: Take, zone: str = "UTC") -> None:
        self.relation = relation
        self.schema = relation.schema
        self._plan = plan
        self._take = take
        self._zone = zone
        self._columns = {column.name: column for column in relation.columns}
        self._constants: dict[str, object] = {}

    def is_constant(self, name: str) -> bool:
        """Whether all rows of the statement have the same."""
        column = self._columns.get(name)
        return column is None or not (column.sequence or (column.default is not None and is_volatile(column.default)))

    def constant(self, name: str) -> object:
        """The value, in the zone that the default was written in."""
        if name not in self._constants:
            column = self._columns.get(name)
            self._constants[name] = None if column is None or column.default is None else self._evaluated(column)
        return self._constants[name]

    def _evaluated(self, column: ColumnDefinition) -> object:
        planned = self._planned(column, "")
        value = evaluate_constant(planned)
        zone = self.relation.zone
        utc = zone == self._zone == "UTC"
        return value if utc else _in_zone(value, self.schema.field(column.name), zone)

    def _planned(self, column: ColumnDefinition, source: str) -> SnapshotPlan:
        query = st.Query(f"SELECT {column.default} AS value{source}", zone=self.relation.zone)
        extra = {_EACH: PlannedRelation(_EACH, "table", _ONE_COLUMN)} if source else {}
        planned = self._plan(query, extra, "DEFAULT")
        check_assignments(planned, 0, self.schema, [self.schema.get_field_index(column.name)], "default expression")
        return planned

    def check(self, places: Mapping[str, int]) -> None:
        """Whether every DEFAULT is a value of its column; ``places``: where they begin in the client's text."""
        for column in self.relation.columns:
            if column.default is not None and not column.sequence:
                try:
                    self._check(column)
                except ConstellationError as error:
                    if column.name in places and string_constant(column.default) is not None:
                        error.position = places[column.name] + 1
                    raise

    def _check(self, column: ColumnDefinition) -> None:
        if self.is_constant(column.name):
            to_array([self.constant(column.name)], self.schema.field(column.name))
        else:
            self._planned(column, f' FROM "{_EACH}"')

    def array(self, name: str, count: int) -> pa.Array:
        """The values of ``count`` rows."""
        column, field = self._columns.get(name), self.schema.field(name)
        if column is not None and column.sequence:
            return pa.array(self._take(column.sequence, count), pa.int64()).cast(field.type)
        if column is None or self.is_constant(name):
            return to_array([self.constant(name)], field).take(pa.array(np.zeros(count, np.int64)))
        planned = self._planned(column, f' FROM "{_EACH}"')
        rows = pa.table({"n": np.arange(count, dtype=np.int64)})
        zone = zone_named(self.relation.zone) or UTC_ZONE
        return assigned(execute(planned, {_EACH: rows}).column(0), field, zone)

    def is_static(self, given: Mapping[int, pa.Array], mixed: Mapping[int, NDArray[np.bool_]]) -> bool:
        """Whether completing these columns gives the same rows each time."""
        left = [f.name for i, f in enumerate(self.schema) if i not in given or i in mixed]
        return all(map(self.is_constant, left))

    def complete(
        self, given: Mapping[int, pa.Array], count: int, mixed: Mapping[int, NDArray[np.bool_]] | None = None
    ) -> pa.RecordBatch:
        """Whole rows as the table stores them; ``mixed``: rows of given columns that have the default all the same."""
        arrays = []
        for index, field in enumerate(self.schema):
            values = given.get(index)
            if values is None:
                values = self._absent(field, count)
            elif mixed and index in mixed:
                mask = mixed[index]
                values = pc.replace_with_mask(values, pa.array(mask), self.array(field.name, int(mask.sum())))
            arrays.append(values)
        return self.generated(fitted(pa.RecordBatch.from_arrays(arrays, schema=self.schema), self.relation))

    def _absent(self, field: pa.Field, count: int) -> pa.Array:
        column = self._columns.get(field.name)
        if column is not None and column.generated is not None:
            return pa.nulls(count, field.type)
        return self.array(field.name, count)

    def generated(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """The rows with their GENERATED columns computed."""
        computed = [column for column in self.relation.columns if column.generated is not None]
        if not computed or not rows.num_rows:
            return rows
        values = self._generation.values(rows)
        zone = zone_named(self.relation.zone) or UTC_ZONE
        for place, column in enumerate(computed):
            index = self.schema.get_field_index(column.name)
            field = self.schema.field(index)
            rows = rows.set_column(index, field, assigned(values.column(place), field, zone))
        return fitted(rows, self.relation)

    @cached_property
    def _generation(self) -> RowExpressions:
        return RowExpressions(self.relation, [c.generated for c in self.relation.columns if c.generated is not None])


def _in_zone(value: object, target: pa.Field, zone: str) -> object:
    """A constant as a value of its column, where the zone it was written in matters."""
    written = zone_named(zone) or UTC_ZONE
    if isinstance(value, str) and pa.types.is_timestamp(target.type):
        return to_array([value], target, written)[0].as_py()
    return assigned(pa.array([value]), target, written)[0].as_py() if isinstance(value, datetime.date) else value
