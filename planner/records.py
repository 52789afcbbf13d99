"""Values of types that are made of others, which are carried as text: read, printed, taken apart.

A row is the text that Postgres prints of it, an enum its label, a map a JSON object with its keys in order.
So equal values have equal texts, but where ``record_order.is_keyed`` says otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from constellationdb.catalog.text import text_encoder
from constellationdb.catalog.text.reading import read_column
from constellationdb.catalog.text.record_literals import fields_for, record_fields, record_text
from constellationdb.catalog.text.style import PLAIN, Style
from constellationdb.catalog.text.zones import UTC_ZONE, Zone
from constellationdb.catalog.types import SqlType
from constellationdb.errors import InvalidTextRepresentation
from constellationdb.planner.input_texts import parse_texts
from constellationdb.planner.maps import keys_and_values, map_text

Texts = Sequence[str | None]


def read_values(texts: Texts, sql_type: SqlType, zone: Zone = UTC_ZONE) -> pa.Array:
    """Values from their text forms, as Postgres' input functions read them; carried types in their canonical text."""
    element = sql_type.element
    if element is not None and element.is_made:
        lists = parse_texts(texts, sql_type.arrow)
        inner = read_values(lists.flatten().to_pylist(), element, zone)
        return pa.ListArray.from_arrays(lists.offsets, inner, mask=lists.is_null()).cast(sql_type.arrow)
    if sql_type.fields:
        return _read_rows(texts, sql_type, zone)
    if sql_type.labels:
        return pa.array([None if text is None else _label(text, sql_type) for text in texts], pa.string())
    if sql_type.pair is not None:
        return pa.array([None if text is None else _map(text, sql_type, zone) for text in texts], pa.string())
    return read_column(parse_texts(texts, sql_type.arrow, zone), sql_type)


def _map(text: str, sql_type: SqlType, zone: Zone) -> str:
    keys, values = keys_and_values(text, sql_type)
    assert sql_type.pair is not None
    key, value = sql_type.pair
    read = print_values(read_values(keys, key, zone), key)
    return map_text(read, print_values(read_values(values, value, zone), value), sql_type)


def _label(text: str, sql_type: SqlType) -> str:
    if text not in sql_type.labels:
        raise InvalidTextRepresentation(f'invalid input value for enum {sql_type.name}: "{text}"')
    return text


def _read_rows(texts: Texts, sql_type: SqlType, zone: Zone) -> pa.Array:
    parts = [None if text is None else fields_for(text, len(sql_type.fields)) for text in texts]
    columns = [
        read_values([None if row is None else row[i] for row in parts], kind, zone)
        for i, (_, kind) in enumerate(sql_type.fields)
    ]
    return rows_of(columns, sql_type, [row is None for row in parts])


def rows_of(columns: Sequence[pa.Array], sql_type: SqlType, missing: Sequence[bool], style: Style = PLAIN) -> pa.Array:
    """The texts of rows, from the columns of their fields."""
    kinds = [kind for _, kind in sql_type.fields]
    printed = [print_values(column, kind, style) for column, kind in zip(columns, kinds, strict=True)]
    made = [None if absent else record_text(column[row] for column in printed) for row, absent in enumerate(missing)]
    return pa.array(made, pa.string())


def print_values(values: pa.Array, sql_type: SqlType, style: Style = PLAIN) -> list[str | None]:
    """As a client is shown them."""
    if sql_type.fields:
        values = printed(values, sql_type, style)
    else:
        values = text_encoder(values.type, sql_type, style)(values).cast(pa.string())
    found: list[str | None] = values.to_pylist()
    return found


def printed(rows: pa.Array, sql_type: SqlType, style: Style) -> pa.Array:
    """Rows in another style than the one that they are carried in."""
    if style == PLAIN:
        return rows
    return rows_of(columns_of(rows, sql_type), sql_type, rows.is_null().to_pylist(), style)


def columns_of(rows: pa.Array, sql_type: SqlType) -> list[pa.Array]:
    """The fields of rows, as columns of their types; those of a NULL row are NULL."""
    texts = field_texts(rows.to_pylist(), sql_type)
    return [parse_texts(column, kind.arrow) for column, (_, kind) in zip(texts, sql_type.fields, strict=True)]


def field_texts(rows: Texts, sql_type: SqlType) -> list[Texts]:
    """The same as texts."""
    width = len(sql_type.fields)
    parts = [[None] * width if text is None else record_fields(text) for text in rows]
    return [[row[i] for row in parts] for i in range(width)]
