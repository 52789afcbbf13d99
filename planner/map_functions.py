"""The functions behind maps; ``about`` is what ``types.describe`` says of the map's type."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from constellationdb.catalog import types
from constellationdb.catalog.text.array_literals import array_text
from constellationdb.catalog.text.record_literals import record_text
from constellationdb.catalog.types import SqlType
from constellationdb.errors import ConstellationError
from constellationdb.planner.maps import map_text, pairs_of, text_of_json, value_at
from constellationdb.planner.raising import ComputationError

_TEXT, _TEXTS, _WHOLE, _BOOL = pa.string(), pa.list_(pa.string()), pa.int64(), pa.bool_()


def definitions() -> list[tuple[Any, list[pa.DataType], pa.DataType, str]]:
    """(function, arguments, result, name) of each."""
    return [
        (_map, [_TEXTS, _TEXTS, _TEXT], _TEXT, "con_map"),
        (_get, [_TEXT, _TEXT, _TEXT], _TEXT, "con_map_get"),
        (_has, [_TEXT, _TEXT], _BOOL, "con_map_has"),
        (_keys, [_TEXT], _TEXT, "con_map_keys"),
        (_values, [_TEXT, _TEXT], _TEXT, "con_map_values"),
        (_entries, [_TEXT, _TEXT], _TEXTS, "con_map_entries"),
        (_size, [_TEXT], _WHOLE, "con_map_size"),
    ]


def _about(abouts: pa.Array) -> SqlType:
    return types.of_description(abouts[0].as_py())


def _map(keys: pa.Array, values: pa.Array, abouts: pa.Array) -> pa.Array:
    rows = zip(keys.to_pylist(), values.to_pylist(), strict=True)
    return pa.array([None if k is None or v is None else _made(k, v, _about(abouts)) for k, v in rows], _TEXT)


def _made(keys: list[str | None], values: list[str | None], sql_type: SqlType) -> str:
    if len(keys) != len(values):
        raise ComputationError("22023", "a map needs as many keys as values")
    try:
        return map_text(keys, values, sql_type)
    except ConstellationError as error:
        raise ComputationError(error.sqlstate, error.message) from None


def _get(maps: pa.Array, keys: pa.Array, abouts: pa.Array) -> pa.Array:
    rows = zip(maps.to_pylist(), keys.to_pylist(), strict=True)
    found = [None if m is None or key is None else value_at(m, key, _about(abouts)) for m, key in rows]
    return pa.array(found, _TEXT)


def _has(maps: pa.Array, keys: pa.Array) -> pa.Array:
    rows = zip(maps.to_pylist(), keys.to_pylist(), strict=True)
    return pa.array([None if m is None or key is None else key in dict(pairs_of(m)) for m, key in rows], _BOOL)


def _keys(maps: pa.Array) -> pa.Array:
    return pa.array([None if m is None else array_text(key for key, _ in pairs_of(m)) for m in maps.to_pylist()], _TEXT)


def _texts(text: str, sql_type: SqlType) -> list[tuple[str, str | None]]:
    assert sql_type.pair is not None
    value = sql_type.pair[1]
    return [(key, text_of_json(inner, value)) for key, inner in pairs_of(text)]


def _values(maps: pa.Array, abouts: pa.Array) -> pa.Array:
    found = [None if m is None else array_text(v for _, v in _texts(m, _about(abouts))) for m in maps.to_pylist()]
    return pa.array(found, _TEXT)


def _entries(maps: pa.Array, abouts: pa.Array) -> pa.Array:
    found = [None if m is None else [record_text(pair) for pair in _texts(m, _about(abouts))] for m in maps.to_pylist()]
    return pa.array(found, _TEXTS)


def _size(maps: pa.Array) -> pa.Array:
    return pa.array([None if m is None else len(pairs_of(m)) for m in maps.to_pylist()], _WHOLE)
