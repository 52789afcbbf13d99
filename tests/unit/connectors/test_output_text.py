"""Rows as the text that files hold and COPY sends."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import psycopg
import pyarrow as pa

from constellationdb.catalog import types
from constellationdb.connectors.output.csv import csv_header, csv_lines
from constellationdb.connectors.output.json import json_lines

_FIELDS = {
    "n": types.BIGINT,
    "d": types.numeric(10, 2),
    "f": types.DOUBLE,
    "t": types.TEXT,
    "ok": types.BOOLEAN,
    "at": types.TIMESTAMP,
    "zoned": types.TIMESTAMPTZ,
    "day": types.DATE,
    "raw": types.BYTEA,
    "doc": types.JSON,
    "tags": types.array_of(types.TEXT),
}
_ROWS = [
    (
        1, Decimal("1.50"), 0.1, 'a "quoted", text\nof two lines', True, datetime(2024, 5, 1, 10, 0, 0, 500_000),
        datetime(2024, 5, 1, 10, tzinfo=UTC), date(2024, 5, 1), b"\x00\xff", '{"a":\n [1, null]}', ["x", None, "y,z"],
    ),
    (None,) * 11,
    (-2, Decimal("-0.05"), float("inf"), "", False, None, None, None, b"", '"\\u00e9"', []),
    (3, None, float("nan"), "\\.", None, None, None, None, None, "null", None),
]  # fmt: skip


def rows() -> pa.RecordBatch:
    schema = pa.schema([types.field_of(name, kind) for name, kind in _FIELDS.items()])
    columns = [pa.array(column, field.type) for column, field in zip(zip(*_ROWS, strict=True), schema, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _told(lines: bytes) -> list[dict[str, object]]:
    return [json.loads(line) for line in lines.decode().splitlines()]


def test_json_says_what_postgres_says(postgres: str) -> None:
    """Postgres reads the CSV and prints its own JSON of it."""
    columns = ", ".join(f"{name} {kind.name}" for name, kind in _FIELDS.items())
    with psycopg.connect(postgres) as connection:
        connection.execute("SET timezone = 'UTC'")
        connection.execute(f"CREATE TEMPORARY TABLE told ({columns}, place serial)")
        with connection.cursor().copy(f"COPY told ({', '.join(_FIELDS)}) FROM STDIN (FORMAT csv)") as copy:
            copy.write(csv_lines(rows()))
        found = connection.execute(
            f"SELECT row_to_json(r)::text FROM (SELECT {', '.join(_FIELDS)} FROM told ORDER BY place) r"
        ).fetchall()
    assert _told(json_lines(rows())) == [json.loads(text) for (text,) in found]


def test_a_json_line_is_one_line() -> None:
    assert json_lines(rows()).count(b"\n") == len(_ROWS)


def test_sliced_rows_are_the_rows_of_the_slice() -> None:
    assert json_lines(rows().slice(2, 1)) == json_lines(rows()).splitlines(keepends=True)[2]
    assert csv_lines(rows()).endswith(csv_lines(rows().slice(2)))


def test_csv_tells_an_empty_text_from_null() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array(["", None, 'say "so"'])], names=["a,b"])
    assert csv_header(batch.schema) + csv_lines(batch) == b'"a,b"\n""\n\n"say ""so"""\n'
    assert csv_lines(batch.slice(0, 0)) == b""


def test_nested_objects() -> None:
    kind = pa.struct([("a", pa.int64()), ("b", pa.string())])
    batch = pa.RecordBatch.from_arrays([pa.array([{"a": 1, "b": None}, None], kind)], names=["o"])
    assert _told(json_lines(batch)) == [{"o": {"a": 1, "b": None}}, {"o": None}]
