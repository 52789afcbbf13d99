"""What a row's constraints say when it breaks them, in Postgres' words."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from constellationdb.catalog.model import Relation, shown_name
from constellationdb.catalog.text import text_encoder
from constellationdb.catalog.types import of_field
from constellationdb.errors import CheckViolation, NotNullViolation, UniqueViolation

_LONGEST = 64  # characters of a value that a failing row shows


def not_null(relation: Relation, column: str, rows: pa.RecordBatch, row: int) -> NotNullViolation:
    return NotNullViolation(
        f'null value in column "{column}" of relation "{shown_name(relation.name)}" violates not-null constraint',
        detail=_failing(rows, row),
    )


def check(relation: Relation, name: str, rows: pa.RecordBatch, row: int) -> CheckViolation:
    return CheckViolation(
        f'new row for relation "{shown_name(relation.name)}" violates check constraint "{name}"',
        detail=_failing(rows, row),
    )


def unique(name: str, rows: pa.RecordBatch, columns: Sequence[int], row: int) -> UniqueViolation:
    names = ", ".join(rows.schema.field(c).name for c in columns)
    values = ", ".join(_shown(rows, c, row) for c in columns)
    return UniqueViolation(
        f'duplicate key value violates unique constraint "{name}"', detail=f"Key ({names})=({values}) already exists."
    )


def duplicated(name: str, rows: pa.RecordBatch, columns: Sequence[int], row: int) -> UniqueViolation:
    """The same of rows that are there when the constraint is made."""
    names = ", ".join(rows.schema.field(c).name for c in columns)
    values = ", ".join(_shown(rows, c, row) for c in columns)
    return UniqueViolation(f'could not create unique index "{name}"', detail=f"Key ({names})=({values}) is duplicated.")


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
