"""What statements that change rows share: SET, DEFAULT, and the rows that come of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from constellationdb.catalog.model import ColumnDefinition, Relation
from constellationdb.catalog.text.zones import Zone
from constellationdb.engine.assignment import assigned
from constellationdb.engine.column_defaults import ColumnDefaults
from constellationdb.engine.lengths import fitted
from constellationdb.engine.rowstore import empty
from constellationdb.errors import GeneratedAlways, UndefinedColumn

NUMBER = "#row"  # the column that tells rows apart
NUMBER_FIELD = pa.field(NUMBER, pa.int64())


def column_of(schema: pa.Schema, name: str, table: str, position: int | None) -> int:
    index: int = schema.get_field_index(name)
    if index < 0:
        raise UndefinedColumn(f'column "{name}" of relation "{table}" does not exist', position=position)
    return index


def asked(text: str) -> str:
    return "NULL" if is_default(text) else text


def is_default(text: str) -> bool:
    return text.strip().lower() == "default"


def defaulted(assignments: tuple[tuple[str, str], ...]) -> list[bool]:
    return [is_default(text) for _, text in assignments]


def check_updated(relation: Relation, assignments: tuple[tuple[str, str], ...]) -> None:
    for name, text in assignments:
        column = relation.column(name)
        if column is not None and (column.generated is not None or column.identity == "a") and not is_default(text):
            raise GeneratedAlways(
                f'column "{name}" can only be updated to DEFAULT',
                detail=generated_always("", column).detail,
            )


def generated_always(what: str, column: ColumnDefinition, *, overriding: bool = False) -> GeneratedAlways:
    kind = "a generated column" if column.generated is not None else "an identity column defined as GENERATED ALWAYS"
    return GeneratedAlways(
        f'{what} column "{column.name}"',
        detail=f'Column "{column.name}" is {kind}.',
        hint="Use OVERRIDING SYSTEM VALUE to override." if overriding else None,
    )


def changed(
    before: pa.RecordBatch,
    values: Sequence[pa.Array],
    indexes: list[int],
    defaults: ColumnDefaults,
    defaulted: list[bool],
    zone: Zone,
) -> pa.RecordBatch:
    """The rows with ``values`` in the columns ``indexes``, their defaults in those that are ``defaulted``."""
    columns = list(before.columns)
    for value, index, default in zip(values, indexes, defaulted, strict=True):
        field = before.schema.field(index)
        columns[index] = defaults.array(field.name, before.num_rows) if default else assigned(value, field, zone)
    rows = pa.RecordBatch.from_arrays(columns, schema=before.schema)
    return defaults.generated(fitted(rows, defaults.relation))


def batch_of(table: pa.Table) -> pa.RecordBatch:
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else empty(table.schema)


def numbered(rows: pa.RecordBatch) -> pa.Table:
    number = pa.array(np.arange(rows.num_rows, dtype=np.int64))
    return pa.Table.from_arrays([*rows.columns, number], schema=rows.schema.append(pa.field(NUMBER, pa.int64())))
