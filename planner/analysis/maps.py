"""Maps as values.

MAP {'a': 1}         con_map(ARRAY['a'], ARRAY['1'], …)     as a call: map('a', 1)
map(keys, values)    con_map(keys::text[], values::text[], …)
m['a']               con_value_int32(con_map_get(m, 'a', …))
"""

from __future__ import annotations

from typing import Any

from pglast import ast

from constellationdb.catalog import types
from constellationdb.catalog.types import SqlType
from constellationdb.errors import DatatypeMismatch, FeatureNotSupported, InvalidParameter
from constellationdb.planner.analysis import forms, kinds, printing, records, texts
from constellationdb.planner.analysis.kinds import UNKNOWN, Kind
from constellationdb.planner.analysis.made_kinds import Made, pair_of
from constellationdb.planner.analysis.typed import Typed, Walk
from constellationdb.planner.record_functions import value_reader

MAKERS = frozenset({"map", "map_from_arrays"})
_TEXTS = f"{kinds.TEXT}[]"
_KEYS = (*kinds.INTEGERS, kinds.TEXT, kinds.UUID, kinds.DATE)


def is_map(kind: Kind) -> bool:
    return pair_of(kind) is not None


def made(walk: Walk, arguments: list[Typed], position: int | None) -> Typed:
    """What a call of map() gives: of two arrays, or of keys and values by turns."""
    if len(arguments) == 2 and all(kinds.is_array(argument.kind) for argument in arguments):
        keys, values = arguments
        kind = _kind(kinds.element((str(keys.kind) and keys.kind) or ""), kinds.element(values.kind or ""), position)
        return _called(_as_texts(keys), _as_texts(values), kind)
    if len(arguments) % 2:
        raise InvalidParameter("a map is made of two arrays, or of keys and values by turns", position=position)
    if not arguments:
        return Typed(forms.text("{}"), UNKNOWN)
    key_nodes, key = walk.settle(arguments[::2], "MAP", [position] * (len(arguments) // 2))
    value_nodes, value = walk.settle(arguments[1::2], "MAP", [position] * (len(arguments) // 2))
    key, value = (kinds.TEXT if kind == UNKNOWN else kind for kind in (key, value))
    listed = [_list(nodes, kind) for nodes, kind in ((key_nodes, key), (value_nodes, value))]
    return _called(listed[0], listed[1], _kind(key, value, position))


def _kind(key: Kind, value: Kind, position: int | None) -> Made:
    found = [kinds.sql_type(kind) for kind in (key, value)]
    if found[0] is None or found[1] is None:
        raise FeatureNotSupported("a map of values whose type is not known here is not supported", position=position)
    check_key(found[0], position)
    return Made(types.map_of(found[0], found[1]))


def check_key(sql_type: SqlType, position: int | None) -> None:
    if kinds.of_sql_type(sql_type) not in _KEYS:
        raise FeatureNotSupported(
            f"a map with keys of type {sql_type.name} is not supported",
            hint="keys are of type text, uuid, date or an integer type",
            position=position,
        )


def _list(nodes: tuple[Any, ...], kind: Kind) -> Any:
    texts_of = tuple(kinds.cast(printing.joined(node, kind), kinds.TEXT) for node in nodes)
    return kinds.cast(ast.A_ArrayExpr(elements=texts_of), _TEXTS)


def _as_texts(array: Typed) -> Any:
    """The elements of an array as texts, in the text form of the array."""
    if kinds.is_text(kinds.element(array.kind or "")):
        return array.node
    return forms.call(value_reader(types.array_of(types.TEXT)), printing.printed(array.node, array.kind))


def _called(keys: Any, values: Any, kind: Made) -> Typed:
    return Typed(forms.call("con_map", keys, values, _about(kind)), kind)


def _about(kind: Made) -> Any:
    return forms.text(types.describe(kind.sql_type))


def element(value: Typed, key: Typed, position: int | None) -> Typed:
    """``m[key]``: NULL where there is no such key."""
    assert isinstance(value.kind, Made)
    assert value.kind.sql_type.pair is not None
    text = forms.call("con_map_get", value.node, _key(value, key, position), _about(value.kind))
    sql_type = value.kind.sql_type.pair[1]
    return Typed(records.value_of_text(text, sql_type), kinds.of_sql_type(sql_type))


def _key(value: Typed, key: Typed, position: int | None) -> Any:
    """A key as the map has it."""
    pair = pair_of(value.kind)
    assert pair is not None
    wanted = kinds.of_sql_type(pair[0])
    if key.kind == UNKNOWN and isinstance(key.node, ast.A_Const):
        return kinds.cast(texts.typed(key.node, wanted, position), kinds.TEXT)
    if key.kind is None or kinds.family(key.kind) != kinds.family(wanted):
        raise DatatypeMismatch(f"a key of {value.kind} must be type {wanted}, not type {key.kind}", position=position)
    return kinds.cast(printing.printed(key.node, key.kind), kinds.TEXT)


def answered(name: str, arguments: list[Typed], position: int | None) -> Typed | None:
    """A function of a map."""
    pair = pair_of(arguments[0].kind) if arguments else None
    if pair is None or not isinstance(arguments[0].kind, Made):
        return None
    value, about = arguments[0], _about(arguments[0].kind)
    key, inner = pair
    if name == "map_contains" and len(arguments) == 2:
        return Typed(forms.call("con_map_has", value.node, _key(value, arguments[1], position)), kinds.BOOLEAN)
    if len(arguments) > 1:
        return None
    match name:
        case "cardinality":
            return Typed(kinds.cast(forms.call("con_map_size", value.node), kinds.INTEGER), kinds.INTEGER)
        case "map_keys":
            return _array(forms.call("con_map_keys", value.node), key)
        case "map_values":
            return _array(forms.call("con_map_values", value.node, about), inner)
        case "map_entries":
            entry = types.composite("map_entry", types.RECORD_OID, (("key", key), ("value", inner)))
            return Typed(forms.call("con_map_entries", value.node, about), Made(types.array_of(entry)))
        case _:
            return None


def _array(text: Any, element: SqlType) -> Typed:
    if kinds.is_text(kinds.of_sql_type(element)):
        text = forms.call(value_reader(types.array_of(types.TEXT)), text)
        return Typed(text, kinds.array(kinds.of_sql_type(element)))
    listed = types.array_of(element)
    return Typed(records.value_of_text(text, listed), kinds.of_sql_type(listed))
