"""json_build_object, json_build_array and to_json, as the texts that Postgres makes of them."""

from __future__ import annotations

from typing import Any

from pglast import ast

from constellationdb.catalog import types
from constellationdb.errors import FeatureNotSupported, InvalidParameter
from constellationdb.planner.analysis import forms, kinds, printing, records
from constellationdb.planner.analysis.made_kinds import Made
from constellationdb.planner.analysis.typed import Typed
from constellationdb.planner.rewrite.tree import parse_expression, to_sql

_BARE = (*kinds.INTEGERS, kinds.NUMERIC)
_QUOTED = (kinds.UNKNOWN, kinds.UUID, kinds.DATE, kinds.TIME, kinds.INTERVAL, *kinds.TEXTS, *kinds.OIDS)


def answered(name: str, arguments: list[Typed], position: int | None) -> Typed | None:
    if name == "row_to_json" and len(arguments) == 1 and not records.is_row(arguments[0].kind):
        return None
    if name in ("to_json", "to_jsonb", "row_to_json") and len(arguments) == 1 and arguments[0].kind != kinds.UNKNOWN:
        given, value = to_sql(arguments[0].node), to_sql(value_of(arguments[0], position))
        value = f"con_jsonb({value})" if name == "to_jsonb" else value
        kind = kinds.JSONB if name == "to_jsonb" else kinds.JSON
        return Typed(parse_expression(f"CASE WHEN {given} IS NOT NULL THEN {value} END"), kind)
    base = name.removeprefix("jsonb_").removeprefix("json_")
    if base not in ("build_object", "build_array") or base == name:
        return None
    spaced = ", "
    if base == "build_array":
        parts = _separated([value_of(argument, position) for argument in arguments], spaced)
        made = _concat(["[", *parts, "]"])
    else:
        if len(arguments) % 2:
            raise InvalidParameter(
                "argument list must have even number of elements",
                hint=f"The arguments of {name}() must consist of alternating keys and values.",
            )
        pairs = zip(arguments[::2], arguments[1::2], strict=True)
        fields = [member(key, value, position) for key, value in pairs]
        made = _concat(["{", *_separated(fields, spaced), "}"])
    return Typed(forms.call("con_jsonb", made), kinds.JSONB) if name.startswith("jsonb") else Typed(made, kinds.JSON)


def member(key: Typed, value: Typed, position: int | None) -> Any:
    """A field of an object and its value."""
    return _concat([_key(key, position), " : ", value_of(value, position)])


def _separated(parts: list[Any], separator: str) -> list[Any]:
    return [part for i, value in enumerate(parts) for part in ((separator, value) if i else (value,))]


def _concat(parts: list[Any]) -> Any:
    return forms.call("concat", *(forms.text(part) if isinstance(part, str) else part for part in parts))


def _key(key: Typed, position: int | None) -> Any:
    if key.kind not in (kinds.UNKNOWN, *kinds.TEXTS, *kinds.INTEGERS):
        raise FeatureNotSupported(f"a key of type {key.kind} is not supported", position=position)
    return forms.call("con_json_string", kinds.cast(key.node, kinds.TEXT))


def _array_value(value: Typed, position: int | None) -> Any:
    element = kinds.element(value.kind or "")
    if element not in (*kinds.INTEGERS, *_QUOTED, kinds.JSON, kinds.JSONB) or element in kinds.REGS:
        raise FeatureNotSupported(f"a JSON value of type {value.kind} is not supported", position=position)
    quoted = "false" if element in (*kinds.INTEGERS, kinds.JSON, kinds.JSONB) else "true"
    texts = to_sql(kinds.cast(value.node, kinds.array(kinds.TEXT) or ""))
    return parse_expression(f"coalesce(con_json_array({texts}, {quoted}), 'null')")


def _made_value(node: Any, kind: Made) -> Any:
    element, name = kind.sql_type.element, "con_made_json" if kind.sql_type.element is None else "con_made_json_list"
    made = forms.call(name, node, forms.text(types.describe(element or kind.sql_type)))
    return ast.CoalesceExpr(args=(made, forms.text("null")))


def value_of(value: Typed, position: int | None) -> Any:
    """A value as JSON text."""
    if value.kind == kinds.BOOLEAN:
        said = to_sql(value.node)
        return parse_expression(f"CASE WHEN {said} THEN 'true' WHEN NOT ({said}) THEN 'false' ELSE 'null' END")
    if isinstance(value.kind, Made):
        return _made_value(value.node, value.kind)
    if kinds.is_array(value.kind):
        return _array_value(value, position)
    text = to_sql(kinds.cast(printing.printed(value.node, value.kind), kinds.TEXT))
    if value.kind in (kinds.JSON, kinds.JSONB) or value.kind in _BARE:
        return parse_expression(f"coalesce({text}, 'null')")
    if value.kind in (kinds.REAL, kinds.DOUBLE):
        bare = f"({text}) IN ('NaN', 'Infinity', '-Infinity')"
        return parse_expression(f"coalesce(CASE WHEN {bare} THEN concat('\"', {text}, '\"') ELSE {text} END, 'null')")
    if value.kind == kinds.TIMESTAMP:
        return parse_expression(f"coalesce('\"' || replace({text}, ' ', 'T') || '\"', 'null')")
    if value.kind == kinds.TIMESTAMPTZ:  # with the minutes of its displacement, which are not printed if there are none
        said = f"regexp_replace(replace({text}, ' ', 'T'), '([+-][0-9][0-9])$', '\\\\1:00')"
        return parse_expression(f"coalesce('\"' || {said} || '\"', 'null')")
    if value.kind not in _QUOTED:
        raise FeatureNotSupported(f"a JSON value of type {value.kind or 'unknown'} is not supported", position=position)
    return parse_expression(f"coalesce(con_json_string({text}), 'null')")
