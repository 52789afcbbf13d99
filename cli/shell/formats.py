"""Rows as lines of text: ``aligned``, ``expanded``, ``unaligned``, ``csv`` and ``json``."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import pyarrow as pa
from rich.cells import cell_len

from constellationdb.catalog.types import of_field
from constellationdb.cli.display import one_line, texts_of
from constellationdb.engine.copy_options import CopyOptions
from constellationdb.wire.columns import column_encoder
from constellationdb.wire.copy_out import CopyWriter, unframed
from constellationdb.wire.rows import bare_lines

FORMATS = ("table", "csv", "json", "unaligned")
_CSV = CopyOptions(csv=True, delimiter=",", null="")


def columns_of(table: pa.Table, null: str) -> list[list[str]]:
    """The values in Postgres' spelling, column by column."""
    return [
        [null if text is None else text for text in texts_of(column, field)]
        for column, field in zip(table.columns, table.schema, strict=True)
    ]


def expanded(table: pa.Table, null: str, first: int = 1) -> Iterator[str]:
    """A block for each row, a line for each column."""
    width = max(map(cell_len, table.column_names), default=0)
    columns = columns_of(table, null)
    for number in range(table.num_rows):
        yield f"-[ RECORD {number + first} ]".ljust(width + 3, "-")
        for name, values in zip(table.column_names, columns, strict=True):
            head, *rest = values[number].split("\n")
            yield f"{name}{' ' * (width - cell_len(name))} | {head}"
            yield from (f"{' ' * width} | {line}" for line in rest)


def unaligned_header(schema: pa.Schema) -> str:
    return "|".join(schema.names)


def unaligned(table: pa.Table, null: str) -> Iterator[str]:
    columns = columns_of(table, null)
    for number in range(table.num_rows):
        yield "|".join(values[number] for values in columns)


def csv_header(schema: pa.Schema) -> str:
    return unframed(CopyWriter(schema.names, replace(_CSV, header=True)).header()).decode().rstrip("\n")


def csv(table: pa.Table, null: str) -> Iterator[str]:
    """As ``COPY … WITH (FORMAT csv)`` writes it; rows without columns have no lines."""
    if not table.column_names:
        return
    options = replace(_CSV, null=null)
    writer = CopyWriter(table.schema.names, options)
    for batch in table.to_batches():
        if not batch.num_columns:
            yield from [""] * batch.num_rows
            continue
        encoders = [column_encoder(field.type, of_field(field), 0) for field in batch.schema]
        cells = writer.cells(batch, encoders)
        lines = bytes(bare_lines(cells, ord(options.delimiter), options.null.encode()))
        yield lines.decode().rstrip("\n")


def json_lines(table: pa.Table, _null: str) -> Iterator[str]:
    """One object a row. Numbers and booleans are JSON's, json is itself, everything else is its text."""
    columns = [
        [_fragment(kind, text) for text in texts_of(column, field)]
        for column, field in zip(table.columns, table.schema, strict=True)
        for kind in [_json_kind(field)]
    ]
    keys = [json.dumps(name, ensure_ascii=False) for name in table.column_names]
    for number in range(table.num_rows):
        yield "{" + ", ".join(f"{key}: {values[number]}" for key, values in zip(keys, columns, strict=True)) + "}"


def _json_kind(field: pa.Field) -> Callable[[str], str]:
    kind, name = field.type, of_field(field).name
    if pa.types.is_boolean(kind):
        return lambda text: "true" if text == "t" else "false"
    if pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return str
    if pa.types.is_floating(kind):
        return lambda text: text if math.isfinite(float(text)) else json.dumps(text)
    if name in ("json", "jsonb"):
        return str
    return lambda text: json.dumps(text, ensure_ascii=False)


def _fragment(kind: Callable[[str], str], text: str | None) -> str:
    return "null" if text is None else kind(text)


def width_of(table: pa.Table, null: str) -> int:
    """What the widest line of an aligned table would take."""
    columns = columns_of(table, null)
    widths = [
        max(cell_len(one_line(text)) for text in [name, *values])
        for name, values in zip(table.column_names, columns, strict=True)
    ]
    return sum(widths) + 3 * len(widths) - 1
