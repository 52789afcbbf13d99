"""Aggregates that put the values of a group behind one another, by way of array_agg.

json_agg(x ORDER BY y)              con_json_list(array_agg(x as JSON ORDER BY y))
json_agg(DISTINCT x)                con_json_elements(array_agg(DISTINCT x ORDER BY x)::text[], quoted)
json_object_agg(k, v ORDER BY y)    con_json_members(array_agg(k : v ORDER BY y))
string_agg(x, d ORDER BY y)         con_joined(array_agg(x …), array_agg(d …)), where d is no constant
string_agg(DISTINCT x, ',')         string_agg(DISTINCT x, ',' ORDER BY x), as Postgres sorts to find the different
"""

from __future__ import annotations

from typing import Any

from pglast import ast
from pglast.enums import BoolExprType, NullTestType, SortByDir, SortByNulls

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.analysis import forms, json_functions, kinds, records
from constellationdb.planner.analysis.typed import Typed
from constellationdb.planner.rewrite.tree import copied

_LISTS = {"json_agg": kinds.JSON, "jsonb_agg": kinds.JSONB}
_LINE = "\n "  # before what is an object or an array itself
_BARE = (*kinds.INTEGERS, kinds.NUMERIC, kinds.BOOLEAN)
_DIFFERENT = (*_BARE, kinds.DATE, kinds.UUID, *kinds.TEXTS)  # of which equal values look the same
_OBJECTS = {"json_object_agg": kinds.JSON, "jsonb_object_agg": kinds.JSONB}


def answered(node: Any, name: str, arguments: list[Typed], position: int | None) -> Typed | None:
    if node.agg_distinct and name in _LISTS and len(arguments) == 1 and arguments[0].kind in _DIFFERENT:
        return _json(_different(node, arguments[0]), _LISTS[name])
    if node.agg_distinct and name in (*_LISTS, *_OBJECTS):
        raise FeatureNotSupported(f"{name}(DISTINCT …) is not supported", position=position)
    if name in _LISTS and len(arguments) == 1:
        value = json_functions.value_of(arguments[0], position)
        if records.is_row(arguments[0].kind) or kinds.is_array(arguments[0].kind):
            value = forms.call("concat", forms.text(_LINE), value)
        listed = forms.call("con_json_list", _array(node, value))
        return _json(listed, _LISTS[name])
    if name in _OBJECTS and len(arguments) == 2:
        key, value = arguments
        listed = _array(node, json_functions.member(key, value, position))
        return _json(forms.call("con_json_members", listed), _OBJECTS[name])
    if name == "string_agg" and len(arguments) == 2:
        return _joined(node, arguments)
    if name == "array_agg" and len(arguments) == 1 and kinds.is_array(arguments[0].kind):
        raise FeatureNotSupported("array_agg of arrays is not supported", position=position)
    if name == "array_agg" and node.agg_distinct and node.over is None:
        _sort_distinct(node, arguments[0].node)
    return None


def _different(node: Any, value: Typed) -> Any:
    """The different values, sorted, as elements of a JSON array."""
    made = _array(node, value.node)
    _sort_distinct(made, value.node)
    quoted = ast.A_Const(isnull=False, val=ast.Boolean(boolval=value.kind not in _BARE))
    return forms.call("con_json_elements", kinds.cast(made, f"{kinds.TEXT}[]"), quoted)


def _json(text: Any, kind: str) -> Typed:
    return Typed(forms.call("con_jsonb", text) if kind == kinds.JSONB else text, kind)


def _array(node: Any, listed: Any) -> Any:
    """array_agg of something else, with the clauses of ``node``."""
    made = copied(node)
    made.funcname, made.args = (ast.String(sval="array_agg"),), (listed,)
    return made


def _joined(node: Any, arguments: list[Typed]) -> Typed | None:
    value, delimiter = (argument.node for argument in arguments)
    if forms.is_null(delimiter):
        node.args = (value, forms.text(""))
    elif not node.agg_distinct and not _is_text(delimiter) and node.over is None:
        tests = [ast.NullTest(arg=copied(value), nulltesttype=NullTestType.IS_NOT_NULL), node.agg_filter]
        tests = [test for test in tests if test is not None]
        node.agg_filter = ast.BoolExpr(boolop=BoolExprType.AND_EXPR, args=tuple(tests)) if tests[1:] else tests[0]
        delimiters = _array(node, kinds.cast(delimiter, kinds.TEXT))
        return Typed(forms.call("con_joined", _array(node, kinds.cast(value, kinds.TEXT)), delimiters), kinds.TEXT)
    if node.agg_distinct and node.over is None:
        _sort_distinct(node, value)
    return None


def _is_text(node: Any) -> bool:
    while isinstance(node, ast.TypeCast):
        node = node.arg
    return isinstance(node, ast.A_Const)


def _sort_distinct(node: Any, value: Any) -> None:
    if not node.agg_order and not forms.is_constant(value):
        sort = ast.SortBy(
            node=copied(value), sortby_dir=SortByDir.SORTBY_DEFAULT, sortby_nulls=SortByNulls.SORTBY_NULLS_DEFAULT
        )
        node.agg_order = (sort,)
