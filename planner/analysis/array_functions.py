"""Functions and operators of arrays, in DataFusion's words. int2vector and oidvector count from 0, others from 1."""

from __future__ import annotations

from typing import Any

from pglast import ast

from constellationdb.errors import DatatypeMismatch, FeatureNotSupported, UndefinedFunction, WrongObjectType
from constellationdb.planner.analysis import forms, kinds, texts
from constellationdb.planner.analysis.kinds import INTEGER, UNKNOWN, Kind
from constellationdb.planner.analysis.typed import Typed
from constellationdb.planner.rewrite.tree import parse_expression, to_sql

_BOUNDS = frozenset({"array_upper", "array_lower", "array_length"})
_SAME = frozenset({"array_append", "array_remove", "array_cat"})
_PRINTED_BY_DATAFUSION = (*kinds.INTEGERS, *kinds.OIDS, kinds.UUID, *kinds.TEXTS)


def answered(name: str, arguments: list[Typed], position: int | None) -> Typed | None:
    """What a call of ``name`` is; None when it is no function of arrays, or of nothing known to be one."""
    first = arguments[0].kind if arguments else None
    if name == "string_to_array" and 2 <= len(arguments) <= 3:
        return Typed(forms.call(name, *(argument.node for argument in arguments)), kinds.array(kinds.TEXT))
    if name == "array_prepend" and len(arguments) == 2 and kinds.is_array(arguments[1].kind):
        return joined(arguments[0], arguments[1])
    if not kinds.is_array(first):
        return None
    assert first is not None
    array = arguments[0].node
    if name == "cardinality" and len(arguments) == 1:
        return Typed(kinds.cast(forms.call(name, array), INTEGER), INTEGER)
    if name in _BOUNDS and len(arguments) == 2:
        return _bound(name, array, first, arguments[1].node)
    if name == "array_dims" and len(arguments) == 1:
        lower, upper = (
            to_sql(_bound(word, array, first, forms.integer(1)).node) for word in ("array_lower", "array_upper")
        )
        return Typed(
            parse_expression(f"'[' || CAST({lower} AS text) || ':' || CAST({upper} AS text) || ']'"), kinds.TEXT
        )
    if name == "array_ndims" and len(arguments) == 1:
        return Typed(_case(f"cardinality({to_sql(array)}) > 0", "1"), INTEGER)
    if name == "array_position" and len(arguments) == 2:
        (array, value), _ = _together(arguments[0], arguments[1])
        return Typed(kinds.cast(forms.call(name, array, value), INTEGER), INTEGER)
    if name == "array_cat" and len(arguments) == 2 and arguments[1].kind == UNKNOWN:
        arguments[1] = Typed(_read(arguments[1], first), first)
    if name in _SAME and len(arguments) == 2:
        if name == "array_remove":
            return _without(arguments[0], arguments[1])
        return joined(arguments[0], arguments[1])
    if name == "array_to_string" and 2 <= len(arguments) <= 3:
        return _to_string(arguments, first, position)
    return None


def _case(condition: str, value: str) -> Any:
    return parse_expression(f"CASE WHEN {condition} THEN CAST({value} AS integer) END")


def _bound(name: str, array: Any, kind: str, dimension: Any) -> Typed:
    """Of the one dimension there is; an empty array has none."""
    text, is_vector = to_sql(array), kind in kinds.VECTORS
    count = f"CAST(cardinality({text}) AS integer)"
    lower = 0 if is_vector else 1
    value = {"array_lower": str(lower), "array_length": count, "array_upper": f"{count} - {1 - lower}"}[name]
    return Typed(_case(f"cardinality({text}) > 0 AND {to_sql(dimension)} = 1", value), INTEGER)


def _to_string(arguments: list[Typed], kind: str, position: int | None) -> Typed:
    element = kinds.element(kind)
    if element not in _PRINTED_BY_DATAFUSION or element in kinds.REGS:
        raise FeatureNotSupported(f"array_to_string of {kind} is not supported", position=position)
    texts = kinds.cast(arguments[0].node, kinds.array(kinds.TEXT) or kind)
    return Typed(forms.call("array_to_string", texts, *(a.node for a in arguments[1:])), kinds.TEXT)


def _together(array: Typed, value: Typed) -> tuple[tuple[Any, Any], str]:
    """An array and a value to look for in it, of one type."""
    assert array.kind is not None
    element = kinds.element(array.kind)
    if value.kind == UNKNOWN:
        return (array.node, _read(value, element)), array.kind
    kind = kinds.unify((element, value.kind))
    if kind is None or kind == UNKNOWN or (kind == element and value.kind == element):
        return (array.node, value.node), array.kind
    return (kinds.cast(array.node, kinds.array(kind) or array.kind), kinds.cast(value.node, kind)), kind + "[]"


def _without(array: Typed, value: Typed) -> Typed:
    """``array_remove``. DataFusion's gives NULL for a NULL that is to be removed."""
    (elements, sought), kind = _together(array, value)
    among, given = to_sql(elements), to_sql(sought)
    removed = f"CASE WHEN {given} IS NULL THEN array_compact({among}) ELSE array_remove_all({among}, {given}) END"
    return Typed(parse_expression(removed), kind)


def _read(value: Typed, kind: str) -> Any:
    return texts.typed(value.node, kind, None) if isinstance(value.node, ast.A_Const) else value.node


def joined(left: Typed, right: Typed) -> Typed:
    """``left || right``, where one of them is an array and the other an array or an element of it."""
    if kinds.is_array(left.kind) and kinds.is_array(right.kind):
        kind = left.kind if left.kind == right.kind else kinds.array(_element(left.kind, right.kind))
        nodes = [
            side.node if side.kind == kind or kind is None else kinds.cast(side.node, kind) for side in (left, right)
        ]
        return Typed(forms.call("array_concat", *nodes), kind)
    if kinds.is_array(left.kind):
        (array, value), kind = _together(left, right)
        return Typed(forms.call("array_append", array, value), kind)
    (array, value), kind = _together(right, left)
    return Typed(forms.call("array_prepend", value, array), kind)


def _element(left: Kind, right: Kind) -> Kind:
    return kinds.unify((kinds.element(left or ""), kinds.element(right or "")))


def constructed(elements: tuple[Any, ...], kind: Kind, node: Any) -> Typed:
    """ARRAY[…] of elements that have become of one type."""
    node.elements = elements
    if kinds.is_array(kind):
        raise FeatureNotSupported("an array of arrays is not supported")
    if kind == UNKNOWN:
        kind = kinds.TEXT
    return Typed(node if kind is None else kinds.cast(node, kinds.array(kind) or kind), kinds.array(kind))


def member(test: Typed, array: Typed, position: int | None) -> Any:
    """``x = ANY (array)``, NULL where it is not among the elements and one of those is NULL."""
    if not kinds.is_array(array.kind):
        if array.kind not in (None, UNKNOWN):
            raise WrongObjectType("op ANY/ALL (array) requires array on right side", position=position)
        raise FeatureNotSupported(
            "ANY and ALL of a value that is not known to be an array are not supported", position=position
        )
    assert array.kind is not None
    element = kinds.element(array.kind)
    if test.kind not in (None, UNKNOWN) and kinds.family(test.kind or "") != kinds.family(element):
        raise UndefinedFunction(
            f"operator does not exist: {test.kind} = {element}",
            hint="No operator matches the given name and argument types. You might need to add explicit type casts.",
            position=position,
        )
    (elements, value), _ = _together(array, test)
    among, sought = to_sql(elements), to_sql(value)
    if element in (kinds.REAL, kinds.DOUBLE):
        raise FeatureNotSupported("ANY and ALL of an array of doubles are not supported", position=position)
    return parse_expression(
        f"CASE WHEN cardinality({among}) = 0 THEN false WHEN {among} IS NULL OR {sought} IS NULL THEN NULL"
        f" WHEN array_has({among}, {sought}) THEN true"
        f" WHEN array_position({among}, NULL) IS NOT NULL THEN NULL ELSE false END"
    )


def contained(operator: str, left: Typed, right: Typed) -> Any:
    """``@>``, ``<@`` and ``&&``: NULL beside a NULL array. A NULL element is equal to none; DataFusion finds it."""
    whole, part = (to_sql(side.node) for side in ((right, left) if operator == "<@" else (left, right)))
    if operator == "&&":
        found = f"array_has_any({whole}, array_compact({part}))"
    else:
        found = f"array_position({part}, NULL) IS NULL AND array_has_all({whole}, {part})"
    return parse_expression(f"CASE WHEN ({whole}) IS NOT NULL AND ({part}) IS NOT NULL THEN {found} END")


def element(array: Typed, index: Typed, position: int | None) -> Typed:
    """``array[index]``: NULL outside of it."""
    _check_subscripted(array.kind, position)
    assert array.kind is not None
    base = 0 if array.kind in kinds.VECTORS else 1
    kind = kinds.element(array.kind)
    if forms.is_integer(index.node):
        place = index.node.val.ival + 1 - base
        if place < 1:
            return Typed(kinds.cast(ast.A_Const(isnull=True), kind), kind)
        return Typed(forms.call("array_element", array.node, forms.integer(place)), kind)
    place = f"CAST({to_sql(index.node)} AS bigint){' + 1' if base == 0 else ''}"
    return Typed(parse_expression(f"CASE WHEN {place} > 0 THEN array_element({to_sql(array.node)}, {place}) END"), kind)


def slice_of(array: Typed, lower: Any, upper: Any, position: int | None) -> Typed:
    """``array[lower:upper]``, what there is of it; NULL bounds are those of the array."""
    _check_subscripted(array.kind, position)
    if array.kind in kinds.VECTORS:
        raise FeatureNotSupported(f"a slice of {array.kind} is not supported", position=position)
    text = to_sql(array.node)
    first = "1" if lower is None else f"greatest(CAST({to_sql(lower)} AS bigint), 1)"
    last = f"CAST(cardinality({text}) AS bigint)" if upper is None else f"CAST({to_sql(upper)} AS bigint)"
    made = parse_expression(
        f"CASE WHEN {last} >= {first} THEN array_slice({text}, {first}, {last})"
        f" WHEN {text} IS NOT NULL THEN array_slice({text}, 2, 1) END"
    )
    return Typed(made, array.kind)


def _check_subscripted(kind: Kind, position: int | None) -> None:
    if kind in (None, UNKNOWN):
        raise FeatureNotSupported(
            "a subscript of a value whose type is not known here is not supported", position=position
        )
    if not kinds.is_array(kind):
        raise DatatypeMismatch(
            f"cannot subscript type {kind} because it does not support subscripting", position=position
        )
