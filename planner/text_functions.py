"""Values as text: the functions behind casts to text, which print with the renderers the wire uses."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from constellationdb.catalog import types
from constellationdb.catalog.text import text_encoder
from constellationdb.catalog.text.bytea import read_bytea
from constellationdb.catalog.text.reading import read_column
from constellationdb.errors import ConstellationError
from constellationdb.planner.patterns import like
from constellationdb.planner.raising import ComputationError

_PRINTED = {
    "f32": types.REAL, "f64": types.DOUBLE, "date": types.DATE, "time": types.TIME, "timestamp": types.TIMESTAMP,
    "timestamptz": types.TIMESTAMPTZ, "interval": types.INTERVAL, "bytea": types.BYTEA, "boolean": types.BOOLEAN,
}  # fmt: skip
_BASE64_LINE = 76
# con_text_… of a type, by its Arrow type and by its name.
SUFFIX_OF = {kind.arrow: suffix for suffix, kind in _PRINTED.items()}
SUFFIX_OF_NAME = {kind.name: suffix for suffix, kind in _PRINTED.items()}


def definitions() -> list[tuple[Any, list[pa.DataType], pa.DataType, str]]:
    """(function, arguments, result, name) of each."""
    printers: list[tuple[Any, list[pa.DataType], pa.DataType, str]] = [
        (_printer(kind.arrow), [kind.arrow], pa.string(), f"con_text_{s}") for s, kind in _PRINTED.items()
    ]
    elements = [*_PRINTED.values(), types.TEXT, types.SMALLINT, types.INTEGER, types.BIGINT, types.numeric()]
    for element in elements:
        kind = types.array_of(element).arrow
        printers.append((_printer(kind), [kind], pa.string(), list_printer(element.name)))
    printers.append((_like_patterns, [pa.string(), pa.string()], pa.string(), "con_like_pattern"))
    for name, sql_type in _READ.items():
        printers.append((_reader(sql_type), [pa.string()], pa.string(), name))
    printers.append((_bytes, [pa.string()], pa.binary(), "con_bytea"))
    printers.append((_base64, [pa.binary()], pa.string(), "con_base64"))
    return [*printers, (_trimmed, [pa.string()], pa.string(), "con_trim_scale")]


_READ = {"con_uuid": types.UUID, "con_json": types.JSON, "con_jsonb": types.JSONB, "con_name": types.NAME}


def list_printer(element: str) -> str:
    """The function that prints arrays of a type."""
    return "con_text_list_" + element.replace(" ", "_")


def _reader(sql_type: types.SqlType) -> Callable[[pa.Array], pa.Array]:
    def read(values: pa.Array) -> pa.Array:
        try:
            return read_column(values, sql_type)
        except ConstellationError as error:
            raise ComputationError(error.sqlstate, error.message) from None

    return read


def _bytes(values: pa.Array) -> pa.Array:
    try:
        return pa.array([None if value is None else read_bytea(value) for value in values.to_pylist()], pa.binary())
    except ConstellationError as error:
        raise ComputationError(error.sqlstate, error.message) from None


def _base64(values: pa.Array) -> pa.Array:
    """As Postgres writes it: a line is 76 characters, and ends where another could begin."""
    return pa.array([None if value is None else _base64_lines(value) for value in values.to_pylist()], pa.string())


def _base64_lines(value: bytes) -> str:
    text = b64encode(value).decode()
    return "".join(
        line + "\n" if len(line) == _BASE64_LINE else line
        for line in (text[at : at + _BASE64_LINE] for at in range(0, len(text), _BASE64_LINE))
    )


def _printer(kind: pa.DataType) -> Callable[[pa.Array], pa.Array]:
    encode = text_encoder(kind)
    return lambda values: encode(values).cast(pa.string())


def _like_patterns(texts: pa.Array, escapes: pa.Array) -> pa.Array:
    pairs = zip(texts.to_pylist(), escapes.to_pylist(), strict=True)
    return pa.array([None if t is None or e is None else _like_pattern(t, e) for t, e in pairs], pa.string())


def _like_pattern(text: str, escape: str) -> str:
    if len(escape) > 1:
        raise ComputationError("22025", "invalid escape string")
    return like(text, escape)


def _trimmed(values: pa.Array) -> pa.Array:
    """The text of a numeric without a scale of its own: no zeros after the last digit."""
    plain = pc.ascii_rtrim(pc.ascii_rtrim(values, "0"), ".")
    return pc.if_else(pc.match_substring(values, "."), plain, values)
