"""What a row's constraints say when it breaks them, in Postgres' words."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from constellationdb.catalog.model import Relation
from constellationdb.catalog.text import text_encoder
from constellationdb.catalog.types import of_field
from constellationdb.errors import CheckViolation, NotNullViolation, UniqueViolation

_LONGEST = 64  # characters of a value that a failing row shows


def not_null(schema: str, relation: Relation, column: str, rows: pa.RecordBatch, row: int) -> NotNullViolation:
    return NotNullViolation(
        f'null value in column "{column}" of relation "{relation.shown}" violates not-null constraint',
        detail=_failing(rows, row),
    ).about(schema, relation.shown, column=column)


def has_nulls(schema: str, relation: Relation, column: str) -> NotNullViolation:
    """The same of rows that are there when the constraint is made."""
    return NotNullViolation(f'column "{column}" of relation "{relation.shown}" contains null values').about(
        schema, relation.shown, column=column
    )


def check(schema: str, relation: Relation, name: str, rows: pa.RecordBatch, row: int) -> CheckViolation:
    return CheckViolation(
        f'new row for relation "{relation.shown}" violates check constraint "{name}"',
        detail=_failing(rows, row),
    ).about(schema, relation.shown, constraint=name)


def broken(schema: str, relation: Relation, name: str) -> CheckViolation:
    """The same of rows that are there when the constraint is made."""
    return CheckViolation(f'check constraint "{name}" of relation "{relation.shown}" is violated by some row').about(
        schema, relation.shown, constraint=name
    )


def unique(
    schema: str, relation: Relation, name: str, rows: pa.RecordBatch, columns: Sequence[int], row: int
) -> UniqueViolation:
    return UniqueViolation(
        f'duplicate key value violates unique constraint "{name}"',
        detail=f"{_key(rows, columns, row)} already exists.",
    ).about(schema, relation.shown, constraint=name)


def duplicated(
    schema: str, relation: Relation, name: str, rows: pa.RecordBatch, columns: Sequence[int], row: int
) -> UniqueViolation:
    """The same of rows that are there when the constraint is made."""
    return UniqueViolation(
        f'could not create unique index "{name}"', detail=f"{_key(rows, columns, row)} is duplicated."
    ).about(schema, relation.shown, constraint=name)


def _key(rows: pa.RecordBatch, columns: Sequence[int], row: int) -> str:
    names = ", ".join(rows.schema.field(c).name for c in columns)
    values = ", ".join(_shown(rows, c, row) for c in columns)
    return f"Key ({names})=({values})"


def _failing(rows: pa.RecordBatch, row: int) -> str:
    values = (_shortened(_shown(rows, column, row)) for column in range(rows.num_columns))
    return f"Failing row contains ({', '.join(values)})."


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _shown(rows: pa.RecordBatch, column: int, row: int) -> str:
    value = rows.column(column).slice(row, 1)
    if value.null_count:
        return "null"
    field = rows.schema.field(column)
    text: bytes = text_encoder(field.type, of_field(field))(value)[0].as_py()
    return text.decode()
