"""Aggregates WITHIN GROUP, in the words of plain ones.

percentile_disc(p) WITHIN GROUP (ORDER BY x)    element ceil(p * count(x)) of array_agg(x ORDER BY x)
percentile_cont(p) WITHIN GROUP (ORDER BY x)    what lies at p * (count(x) - 1) between two of its elements
mode() WITHIN GROUP (ORDER BY x)                where its longest run of equal values begins
rank(v) WITHIN GROUP (ORDER BY x)               1 + count(*) FILTER (WHERE x comes before v)

DataFusion's own percentile_cont rounds the place between the elements to a millionth. Of an array of fractions
a percentile is an array of calls.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pglast import ast
from pglast.enums import SortByDir, SortByNulls

from constellationdb.errors import FeatureNotSupported, NumericOutOfRange, UndefinedFunction, WrongObjectType
from constellationdb.planner.analysis import equality, forms, kinds, printing
from constellationdb.planner.analysis.typed import Place, Typed, Walk
from constellationdb.planner.rewrite.tree import copied, last_name, parse_expression, to_sql

PERCENTILES = frozenset({"percentile_cont", "percentile_disc"})
NAMES = frozenset({*PERCENTILES, "mode"})
HYPOTHETICAL = {"rank": kinds.BIGINT, "dense_rank": kinds.BIGINT, "percent_rank": kinds.DOUBLE,
                "cume_dist": kinds.DOUBLE}  # fmt: skip
_HINT = "No function matches the given name and argument types. You might need to add explicit type casts."


def is_hypothetical(node: Any) -> bool:
    return bool(node.agg_within_group) and last_name(node) in HYPOTHETICAL


def answered(walk: Walk, node: Any, place: Place) -> Typed | None:
    """An aggregate WITHIN GROUP; None when it stays as it is."""
    name = last_name(node)
    arguments: Any = node.args or ()
    if name == "quantile_cont" and len(arguments) == 2 and not node.agg_order:
        node, name = _ordered(node), "percentile_cont"
        arguments = node.args
    if name in NAMES and not node.agg_within_group:
        message = f"WITHIN GROUP is required for ordered-set aggregate {name}"
        raise WrongObjectType(message, position=walk.at(node))
    if name in PERCENTILES and len(arguments) == 1:
        for fraction in getattr(arguments[0], "elements", None) or arguments[:1]:
            _check_fraction(walk, fraction)
        if isinstance(arguments[0], ast.A_ArrayExpr):
            return _several(walk, node, arguments[0].elements or (), place)
        return _discrete(walk, node, place) if name == "percentile_disc" else _interpolated(walk, node, place)
    if name == "mode" and not arguments and len(node.agg_order) == 1:
        return _mode(walk, node, place)
    if is_hypothetical(node) and len(arguments) == len(node.agg_order):
        return _hypothetical(walk, node, name, place)
    if name in NAMES or is_hypothetical(node):
        raise _undefined(
            walk, node, [walk.expression(a, place) for a in (*arguments, *(s.node for s in node.agg_order))]
        )
    return None


def _undefined(walk: Walk, node: Any, given: list[Typed]) -> UndefinedFunction:
    shown = ", ".join(str(argument.kind) for argument in given)
    message = f"function {last_name(node)}({shown}) does not exist"
    return UndefinedFunction(message, hint=_HINT, position=walk.at(node))


def _ordered(node: Any) -> Any:
    """quantile_cont(x, p) as percentile_cont(p) WITHIN GROUP (ORDER BY x)."""
    made = copied(node)
    value, fraction = made.args
    made.funcname, made.args, made.agg_within_group = (ast.String(sval="percentile_cont"),), (fraction,), True
    made.agg_order = (
        ast.SortBy(node=value, sortby_dir=SortByDir.SORTBY_DEFAULT, sortby_nulls=SortByNulls.SORTBY_NULLS_DEFAULT),
    )
    return made


def _several(walk: Walk, node: Any, fractions: Any, place: Place) -> Typed:
    """An array of percentiles; NULL where there is no value."""
    count, calls = _with(node, "count", node.agg_order[0].node), [_with(node, None, f) for f in fractions]
    for call in calls:
        call.agg_order, call.agg_within_group = copied(node.agg_order), True
    array = walk.expression(ast.A_ArrayExpr(elements=tuple(calls)), place)
    there, listed = to_sql(walk.expression(count, place).node), to_sql(array.node)
    return Typed(parse_expression(f"CASE WHEN {there} > 0 THEN {listed} END"), array.kind)


def _with(node: Any, name: str | None, argument: Any) -> Any:
    """A call with the FILTER of ``node`` and one argument."""
    made = copied(node)
    made.args, made.agg_order, made.agg_within_group = (copied(argument),), None, False
    if name is not None:
        made.funcname = (ast.String(sval=name),)
    return made


def _check_fraction(walk: Walk, node: Any) -> None:
    """A fraction that is written down is between 0 and 1."""
    value = node.val if isinstance(node, ast.A_Const) and not node.isnull else None
    number = float(value.ival if isinstance(value, ast.Integer) else getattr(value, "fval", 0))
    if not 0 <= number <= 1:
        raise NumericOutOfRange(f"percentile value {number:g} is not between 0 and 1", position=walk.at(node))


class _Group:
    """What stands behind WITHIN GROUP and FILTER, analysed, and calls over it."""

    def __init__(self, walk: Walk, node: Any, place: Place) -> None:
        self._inner = replace(place, aggregate=True)
        self._filter = None
        if node.agg_filter is not None:
            outside = replace(place, aggregate=False, clause="FILTER")
            self._filter = to_sql(walk.boolean(node.agg_filter, "FILTER", outside))

    @property
    def inner(self) -> Place:
        return self._inner

    def call(self, text: str, condition: str | None = None) -> str:
        tests = [f"({test})" for test in (condition, self._filter) if test is not None]
        return f"{text} FILTER (WHERE {' AND '.join(tests)})" if tests else text


def _discrete(walk: Walk, node: Any, place: Place) -> Typed:
    group, sort = _Group(walk, node, place), node.agg_order[0]
    value, fraction = walk.expression(sort.node, group.inner), walk.expression(node.args[0], place)
    if value.constant:
        return _constant(group, value, fraction)
    values, counted = _sorted(group, value, to_sql(value.node), sort), group.call(f"count({to_sql(value.node)})")
    share = to_sql(kinds.cast(fraction.node, kinds.DOUBLE))
    where = f"CAST(greatest(ceil({share} * CAST({counted} AS double precision)), 1) AS bigint)"
    if forms.is_null(fraction.node):
        where = "CAST(NULL AS bigint)"
    return Typed(parse_expression(f"array_element({values}, {where})"), value.kind)


def _interpolated(walk: Walk, node: Any, place: Place) -> Typed:
    group, sort = _Group(walk, node, place), node.agg_order[0]
    value, fraction = walk.expression(sort.node, group.inner), walk.expression(node.args[0], place)
    if value.kind == kinds.INTERVAL:
        raise FeatureNotSupported("percentile_cont of intervals is not supported", position=walk.at(node))
    if value.kind not in (None, kinds.UNKNOWN, *kinds.NUMBERS):
        raise _undefined(walk, node, [fraction, value])
    if value.constant:
        return Typed(kinds.cast(_constant(group, value, fraction).node, kinds.DOUBLE), kinds.DOUBLE)
    values = _sorted(group, value, to_sql(kinds.cast(value.node, kinds.DOUBLE)), sort)
    share = to_sql(kinds.cast(fraction.node, kinds.DOUBLE))
    return Typed(parse_expression(f"con_percentile_cont({values}, {share})"), kinds.DOUBLE)


def _mode(walk: Walk, node: Any, place: Place) -> Typed:
    group, sort = _Group(walk, node, place), node.agg_order[0]
    value = walk.expression(sort.node, group.inner)
    if value.constant:
        return _constant(group, value)
    keyed = equality.is_keyed(value.kind)
    key = equality.key(value.node, value.kind) if keyed else printing.printed(copied(value.node), value.kind)
    text = to_sql(kinds.cast(key, kinds.TEXT))
    values, texts = (_sorted(group, value, listed, sort) for listed in (to_sql(value.node), text))
    return Typed(parse_expression(f"array_element({values}, con_longest_run({texts}))"), value.kind)


def _constant(group: _Group, value: Typed, fraction: Typed | None = None) -> Typed:
    """Of rows that are all alike, the one value there is; NULL of no rows, and at no fraction."""
    shown = group.call(f"min({to_sql(forms.as_integer(value.node))})")
    if fraction is not None:
        shown = f"CASE WHEN {to_sql(fraction.node)} IS NOT NULL THEN {shown} END"
    return Typed(parse_expression(shown), value.kind)


def _sorted(group: _Group, value: Typed, listed: str, sort: Any) -> str:
    """The array of what is listed for each value that is not NULL, in the order of the values."""
    key = to_sql(equality.sort_key(value.node, value.kind))
    word = "DESC" if _descends(sort) else "ASC"
    return group.call(f"array_agg({listed} ORDER BY {key} {word})", f"{key} IS NOT NULL")


def _hypothetical(walk: Walk, node: Any, name: str, place: Place) -> Typed:
    group = _Group(walk, node, place)
    columns = []
    for sort, argument in zip(node.agg_order, node.args, strict=True):
        (column, given), _ = walk.together((sort.node, argument), None, group.inner)
        columns.append((to_sql(column), to_sql(given), sort))
    before = _before(columns)
    ahead, rows = group.call("count(*)", before), group.call("count(*)")
    match name:
        case "rank":
            text = f"{ahead} + 1"
        case "dense_rank":
            text = f"{_different(group, columns, before)} + 1"
        case "percent_rank":
            share = f"CAST({ahead} AS double precision) / {rows}"
            text = f"CASE WHEN {rows} = 0 THEN CAST(0 AS double precision) ELSE {share} END"
        case _:
            same = " AND ".join(_same(column, given) for column, given, _ in columns)
            text = f"CAST({group.call('count(*)', f'{before} OR {same}')} + 1 AS double precision) / ({rows} + 1)"
    return Typed(parse_expression(text), HYPOTHETICAL[name])


def _different(group: _Group, columns: list[tuple[str, str, Any]], before: str) -> str:
    """How many different values come before."""
    names = [column for column, _, _ in columns]
    if len(names) > 1:
        return group.call(f"count(DISTINCT ({', '.join(names)}))", before)
    count = group.call(f"count(DISTINCT {names[0]})", before)
    nulls = group.call("count(*)", f"({before}) AND {names[0]} IS NULL")
    return f"{count} + CASE WHEN {nulls} > 0 THEN 1 ELSE 0 END"


def _before(columns: list[tuple[str, str, Any]]) -> str:
    """That a row comes before the given one."""
    ways, equal = [], ""
    for column, given, sort in columns:
        first, second = (column, given) if _nulls_first(sort) else (given, column)
        nulls = f"({first} IS NULL AND {second} IS NOT NULL)"
        ways.append(f"{equal}({column} {'>' if _descends(sort) else '<'} {given} OR {nulls})")
        equal += f"{_same(column, given)} AND "
    return " OR ".join(f"({way})" for way in ways)


def _same(column: str, given: str) -> str:
    return f"({column} IS NOT DISTINCT FROM {given})"


def _descends(sort: Any) -> bool:
    return bool(sort.sortby_dir == SortByDir.SORTBY_DESC)


def _nulls_first(sort: Any) -> bool:
    if sort.sortby_nulls == SortByNulls.SORTBY_NULLS_DEFAULT:
        return _descends(sort)
    return bool(sort.sortby_nulls == SortByNulls.SORTBY_NULLS_FIRST)
