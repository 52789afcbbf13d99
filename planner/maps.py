"""Maps: JSON objects with their keys in order, one key once, values of one type."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from constellationdb.catalog import types
from constellationdb.catalog.text.array_literals import array_text
from constellationdb.catalog.text.reading import print_jsonb
from constellationdb.catalog.text.record_literals import record_text
from constellationdb.catalog.types import SqlType
from constellationdb.errors import InvalidParameter, InvalidTextRepresentation, NullNotAllowed
from constellationdb.planner.record_json import as_json

Pairs = list[tuple[str, Any]]


class _Object(list[tuple[str, Any]]):
    """A JSON object, before its keys are told apart."""


def parse_json(text: str, kind: str) -> Any:
    """Objects as lists of pairs, numbers as they are written."""
    try:
        return json.loads(text, object_pairs_hook=_Object, parse_float=Decimal, parse_int=Decimal)
    except (ValueError, RecursionError):
        raise InvalidTextRepresentation(f'invalid input syntax for type {kind}: "{text}"') from None


def pairs_of(text: str) -> Pairs:
    """The keys and values, as JSON, of a map that is carried."""
    return list(json.loads(text, parse_float=Decimal, parse_int=Decimal).items())


def text_of_json(value: Any, sql_type: SqlType) -> str | None:
    """A JSON value as the text form of a type: of an object, a row or a map."""
    if value is None:
        return None
    if sql_type.oid in (types.JSON.oid, types.JSONB.oid) and sql_type.pair is None:
        return print_jsonb(_plain(value))
    match value:
        case bool():
            return "t" if value else "f"
        case _Object() | dict() if sql_type.fields:
            members = dict(value)
            return record_text(text_of_json(members.get(name), kind) for name, kind in sql_type.fields)
        case _Object() | dict() if sql_type.pair is not None:
            return _object_text(list(value.items()) if isinstance(value, dict) else value)
        case list() if sql_type.element is not None and not isinstance(value, _Object):
            return array_text(text_of_json(element, sql_type.element) for element in value)
        case str():
            return value
        case Decimal():
            return format(value, "f")
        case _:
            shown = print_jsonb(_plain(value))
            raise InvalidTextRepresentation(f'invalid input syntax for type {sql_type.name}: "{shown}"')


def _plain(value: Any) -> Any:
    match value:
        case _Object():
            return {key: _plain(inner) for key, inner in value}
        case dict():
            return {key: _plain(inner) for key, inner in value.items()}
        case list():
            return [_plain(inner) for inner in value]
        case int() if not isinstance(value, bool):
            return Decimal(value)
        case float():
            return Decimal(str(value))
        case _:
            return value


def _object_text(pairs: Pairs) -> str:
    return "{" + ", ".join(f"{json.dumps(key)}: {print_jsonb(_plain(inner))}" for key, inner in pairs) + "}"


def keys_and_values(text: str, sql_type: SqlType) -> tuple[list[str], list[str | None]]:
    """Of a map that someone wrote as a JSON object, as texts."""
    assert sql_type.pair is not None
    found = parse_json(text, sql_type.name)
    if not isinstance(found, _Object):
        raise InvalidTextRepresentation(f'invalid input syntax for type {sql_type.name}: "{text}"')
    return [key for key, _ in found], [text_of_json(value, sql_type.pair[1]) for _, value in found]


def map_text(keys: Sequence[str | None], values: Sequence[str | None], sql_type: SqlType) -> str:
    """A map of canonical texts; 22004 for a NULL among the keys, 22023 for one that is there twice."""
    assert sql_type.pair is not None
    kind, value = sql_type.pair
    members: dict[str, str] = {}
    for key, inner in zip(keys, values, strict=True):
        if key is None:
            raise NullNotAllowed("a key of a map must not be null")
        if key in members:
            raise InvalidParameter(f'key "{key}" of a map is there more than once')
        members[key] = as_json(inner, value)
    return (
        f"{{{', '.join(f'{json.dumps(key, ensure_ascii=False)}: {members[key]}' for key in _sorted(members, kind))}}}"
    )


def _sorted(keys: Any, kind: SqlType) -> list[str]:
    return sorted(keys, key=int) if pa.types.is_integer(kind.arrow) else sorted(keys, key=lambda key: str(key).encode())


def value_at(text: str, key: str, sql_type: SqlType) -> str | None:
    """The text of one value; None where there is no such key."""
    assert sql_type.pair is not None
    return text_of_json(dict(pairs_of(text)).get(key), sql_type.pair[1])
