"""ALTER COLUMN … TYPE: what becomes of a column's values.

The column comes anew, without values, as one that is added does; then each row is written again with its new value.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
from msgspec.structs import replace

from constellationdb.catalog.model import ColumnDefinition, Relation
from constellationdb.catalog.text.zones import Zone
from constellationdb.engine.assignment import assigned, check_assignable
from constellationdb.engine.lengths import fitted
from constellationdb.engine.row_expressions import RowExpressions, kind_of
from constellationdb.engine.table_definitions import typed_field
from constellationdb.errors import DatatypeMismatch
from constellationdb.planner import statements as st
from constellationdb.planner.column_expressions import check_expression
from constellationdb.planner.syntax.edits import identifier


def check_conversion(table: Relation, action: st.SetType, column: ColumnDefinition) -> str:
    """The expression that gives the values, which must be values of the new type."""
    name, wanted = action.name, action.type.name
    said = identifier(name) if action.using is None else action.using
    check_expression(said, "transform", action.position)
    field = typed_field(name, action.type)
    try:
        check_assignable(kind_of(table, said, action.position), field)
    except DatatypeMismatch:
        if action.using is None:
            raise DatatypeMismatch(
                f'column "{name}" cannot be cast automatically to type {wanted}',
                hint=f'You might need to specify "USING {identifier(name)}::{wanted}".',
            ) from None
        raise DatatypeMismatch(
            f'result of USING clause for column "{name}" cannot be cast automatically to type {wanted}',
            hint="You might need to add an explicit cast.",
        ) from None
    if column.default is not None:
        try:
            check_assignable(kind_of(table, identifier(name), 0), field)
        except DatatypeMismatch:
            raise DatatypeMismatch(
                f'default for column "{name}" cannot be cast automatically to type {wanted}'
            ) from None
    return said


def converted(
    before: Relation, after: Relation, retyped: Mapping[str, str], old: pa.RecordBatch, rows: pa.RecordBatch, zone: Zone
) -> pa.RecordBatch:
    """``rows``, which are the ``old`` ones in the new form, with the values that the columns have now."""
    values = RowExpressions(before, list(retyped.values())).values(old)
    for name, column in zip(retyped, values.columns, strict=True):
        place = rows.schema.get_field_index(name)
        rows = rows.set_column(place, rows.schema.field(place), assigned(column, rows.schema.field(place), zone))
    return fitted(rows, after)


def without_rules_of(table: Relation, names: Mapping[str, str]) -> Relation:
    """The table as if nothing had been asked of these columns: it is asked anew."""
    return replace(
        table,
        columns=tuple(replace(c, not_null=False) if c.name in names else c for c in table.columns),
        checks=tuple(check for check in table.checks if not names.keys() & set(check.columns)),
        uniques=tuple(unique for unique in table.uniques if not names.keys() & set(unique.columns)),
        primary_key=() if names.keys() & set(table.primary_key) else table.primary_key,
    )
