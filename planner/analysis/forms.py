"""What DataFusion must be told in other words to answer as Postgres does."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from pglast import ast
from pglast.enums import A_Expr_Kind, BoolExprType, SetOperation, SubLinkType

from constellationdb.errors import InvalidColumnReference
from constellationdb.planner import patterns
from constellationdb.planner.analysis import calls, kinds, operators
from constellationdb.planner.analysis.kinds import Kind
from constellationdb.planner.rewrite.names import fresh
from constellationdb.planner.rewrite.tree import MADE, copied, last_name, nodes, parse_expression, parse_query, to_sql

_CANONICAL = {kinds.REAL: "con_canonical_f32", kinds.DOUBLE: "con_canonical_f64"}
_NAMES = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "%": "modulus"}


def call(name: str, *arguments: Any) -> Any:
    return ast.FuncCall(funcname=(ast.String(sval=name),), args=tuple(arguments))


def integer(value: int) -> Any:
    return ast.A_Const(isnull=False, val=ast.Integer(ival=value))


def text(value: str) -> Any:
    return ast.A_Const(isnull=False, val=ast.String(sval=value))


def is_text(node: Any, value: str) -> bool:
    return isinstance(node, ast.A_Const) and isinstance(node.val, ast.String) and node.val.sval == value


def is_integer(node: Any) -> bool:
    return isinstance(node, ast.A_Const) and isinstance(node.val, ast.Integer) and not node.isnull


def as_integer(node: Any) -> Any:
    """An integer constant as Postgres' integer; DataFusion takes every one for a bigint."""
    least = isinstance(node, ast.A_Const) and isinstance(node.val, ast.Float) and node.val.fval == str(-(1 << 31))
    return kinds.cast(node, kinds.INTEGER) if is_integer(node) or least else node


def as_float(node: Any, kind: str) -> Any:
    """A numeric beside a double, as a double; a constant by its digits.

    DataFusion would make the double a numeric instead, which holds neither 1e300 nor NaN,
    and where both are constants it does so before anything can be put right.
    """
    if isinstance(node, ast.A_Const) and isinstance(node.val, ast.Float):
        node = text(node.val.fval)
    elif isinstance(node, ast.TypeCast) and node.location == MADE:
        node = node.arg
    return kinds.cast(node, kind)


def is_value(node: Any) -> bool:
    """Whether it can be the argument of a call wherever it stands: no constant, set, subquery, aggregate or OVER."""
    if isinstance(node, ast.FuncCall):
        called = last_name(node)
        return node.over is None and not (calls.is_aggregate(called) or called in (*_CANONICAL.values(), "unnest"))
    return isinstance(node, ast.ColumnRef | ast.A_Expr | ast.TypeCast)


def canonical(node: Any, kind: str) -> Any:
    """A double, or real, as one NaN and one zero: where nothing corrects the plan, DataFusion tells others apart."""
    return call(_CANONICAL[kind], node)


def plain(node: Any) -> Any:
    """A column as it is, where it is only shown."""
    shown = isinstance(node, ast.FuncCall) and last_name(node) in _CANONICAL.values()
    return node.args[0] if shown and isinstance(node.args[0], ast.ColumnRef) else node


def regex(node: Any) -> Any:
    """A constant pattern in which a dot stands for any character, as in Postgres: also for a line end."""
    if not isinstance(node, ast.A_Const) or not isinstance(node.val, ast.String):
        return node
    pattern = patterns.regex(node.val.sval)
    return node if pattern == node.val.sval else text(pattern)


def negated(node: Any, kind: str) -> Any:
    return call(f"con_negate_{operators.suffix(kind)}", kinds.cast(node, kind))


def escaped(function: Any) -> Any:
    """The pattern of LIKE … ESCAPE, with a backslash for its escape."""
    function.args = tuple(arg.arg if _is_made(arg) else arg for arg in function.args)
    pattern, escape = function.args
    if is_null(pattern) or is_null(escape):
        return ast.A_Const(isnull=True)
    if not all(isinstance(a, ast.A_Const) and isinstance(a.val, ast.String) for a in function.args):
        return call("con_like_pattern", pattern, escape)
    return text(patterns.like(pattern.val.sval, escape.val.sval))


def _is_made(node: Any) -> bool:
    return isinstance(node, ast.TypeCast) and node.location == MADE


def is_made_text(node: Any) -> bool:
    """A cast of a string that nobody wrote."""
    return _is_made(node) and isinstance(node.arg, ast.A_Const) and isinstance(node.arg.val, ast.String)


def as_time(node: Any, kind: Kind) -> Any:
    """A time constant beside a time: microseconds, where DataFusion's own are nanoseconds."""
    if kind != kinds.TIME or not isinstance(node, ast.TypeCast):
        return node
    return microseconds(node)


def microseconds(node: Any) -> Any:
    """A time as it is stored."""
    return call("arrow_cast", node, text("Time64(Microsecond)"))


def plus_zero(node: Any) -> Any:
    """A numeric with more room before the point."""
    return ast.A_Expr(kind=A_Expr_Kind.AEXPR_OP, name=(ast.String(sval="+"),), lexpr=node, rexpr=integer(0))


def is_null(node: Any) -> bool:
    while isinstance(node, ast.TypeCast):
        node = node.arg
    return isinstance(node, ast.A_Const) and bool(node.isnull)


def is_constant(node: Any) -> bool:
    """Whether ``node`` says the same of every row."""
    changing = ast.ColumnRef | ast.SubLink | ast.FuncCall | ast.SQLValueFunction | ast.ParamRef
    return not any(isinstance(part, changing) for part in nodes(node))


def rounded(node: Any, kind: Kind) -> Any:
    """The argument of a cast to an integer type: Postgres rounds where DataFusion cuts off."""
    if kind == kinds.NUMERIC:
        return call("round", node)
    if kind in (kinds.REAL, kinds.DOUBLE):
        return call("con_rint", kinds.cast(node, kinds.DOUBLE))
    return node


def binary(name: str, left: tuple[Any, Kind], right: tuple[Any, Kind], kind: Kind, *, checked: bool) -> Any | None:
    """``left name right`` as something else; None when it can stay. ``checked``: nobody corrects the plan later."""
    if left[1] == right[1] == kinds.INTERVAL and name in operators.COMPARISONS:
        return _operation(name, call("con_interval_order", left[0]), call("con_interval_order", right[0]))
    if kind == kinds.INTERVAL:
        return _interval(name, left, right)
    if name in operators.BITWISE and kind is not None:
        return _operation(name, kinds.cast(left[0], kind), kinds.cast(right[0], kind))
    if name not in _NAMES:
        return None
    if kind == kinds.TIMESTAMP and {left[1], right[1]} == {kinds.DATE, kinds.INTERVAL}:  # else it stays a date
        sides = [kinds.cast(node, kinds.TIMESTAMP) if k == kinds.DATE else node for node, k in (left, right)]
        return _operation(name, *sides)
    if kind in kinds.INTEGERS and left[1] in kinds.INTEGERS and right[1] in kinds.INTEGERS:
        assert kind is not None
        if checked:  # constants, too: DataFusion would compute them while planning, and wrap
            return call(
                f"con_{_NAMES[name]}_{operators.suffix(kind)}", kinds.cast(left[0], kind), kinds.cast(right[0], kind)
            )
        if kind != kinds.BIGINT and (is_integer(left[0]) or is_integer(right[0])):
            return _operation(name, as_integer(left[0]), as_integer(right[0]))
    if checked and kind == kinds.DATE:
        return _operation(name, *(_days(node, k) for node, k in (left, right)))
    if checked and name != "%" and kind in (kinds.DOUBLE, kinds.REAL):
        return call(f"con_{_NAMES[name]}_{operators.suffix(kind)}", *(kinds.cast(s[0], kind) for s in (left, right)))
    return None


def _days(node: Any, kind: Kind) -> Any:
    """Days beside a date: as what a call gives, for DataFusion fails to think of a range of a column's."""
    if kind not in kinds.INTEGERS or is_integer(node):
        return node
    return call("con_add_i32", kinds.cast(node, kinds.INTEGER), kinds.cast(integer(0), kinds.INTEGER))


def _interval(name: str, left: tuple[Any, Kind], right: tuple[Any, Kind]) -> Any | None:
    if left[1] in kinds.MOMENTS:
        return call("con_interval_between", kinds.cast(left[0], kinds.TIMESTAMP), kinds.cast(right[0], kinds.TIMESTAMP))
    if left[1] in kinds.NUMBERS:
        left, right = right, left
    if right[1] in kinds.NUMBERS:
        word = "multiply" if name == "*" else "divide"
        return call(f"con_interval_{word}", left[0], kinds.cast(right[0], kinds.DOUBLE))
    return None


def _operation(name: str, left: Any, right: Any) -> Any:
    return ast.A_Expr(kind=A_Expr_Kind.AEXPR_OP, name=(ast.String(sval=name),), lexpr=left, rexpr=right)


def symmetric(node: Any) -> Any:
    """BETWEEN SYMMETRIC, either way round."""
    negated = node.kind == A_Expr_Kind.AEXPR_NOT_BETWEEN_SYM
    kind = A_Expr_Kind.AEXPR_NOT_BETWEEN if negated else A_Expr_Kind.AEXPR_BETWEEN
    word = ast.String(sval="NOT BETWEEN" if negated else "BETWEEN")
    first, second = node.rexpr
    ways = tuple(
        ast.A_Expr(kind=kind, name=(word,), lexpr=node.lexpr, rexpr=bounds)
        for bounds in ((first, second), (second, first))
    )
    return ast.BoolExpr(boolop=BoolExprType.AND_EXPR if negated else BoolExprType.OR_EXPR, args=ways)


# -- subqueries -----------------------------------------------------------------------------------

_numbers = itertools.count()


def only_target(select: Any) -> Any | None:
    """The one target of a plain SELECT."""
    targets: Any = select.targetList or ()
    if select.op != SetOperation.SETOP_NONE or len(targets) != 1:
        return None
    value = targets[0].val
    starred = isinstance(value, ast.ColumnRef) and isinstance(value.fields[-1], ast.A_Star)
    return None if starred else targets[0]


def read_by(select: Any, key: Callable[[Any], Any]) -> Any:
    """A query of one column as one of that column's keys."""
    target = only_target(select)
    if target is not None and not (select.distinctClause or select.groupClause):
        target.name, target.val = target.name or "key", key(target.val)
        return select
    alias = fresh("keyed")
    made = parse_query(f"SELECT {alias}.c0 AS key FROM (SELECT) AS {alias}(c0)")
    made.fromClause[0].subquery = select
    made.targetList[0].val = key(made.targetList[0].val)
    return made


def read_all_by(select: Any, keys: Sequence[Callable[[Any], Any]]) -> Any:
    """A query with each of its columns as a key of it."""
    alias = fresh("keyed")
    columns = [f"c{place}" for place in range(len(keys))]
    listed = ", ".join(f"{alias}.{column} AS {column}" for column in columns)
    made = parse_query(f"SELECT {listed} FROM (SELECT) AS {alias}({', '.join(columns)})")
    made.fromClause[0].subquery = select
    for target, key in zip(made.targetList, keys, strict=True):
        target.val = key(target.val)
    return made


def output_place(node: Any, select: Any, names: Sequence[str]) -> int:
    """Which output column ORDER BY means: with DISTINCT and set operations, it must be one."""
    if is_integer(node):
        return int(node.val.ival) - 1
    if isinstance(node, ast.ColumnRef) and node.fields[-1].sval in names:
        return names.index(node.fields[-1].sval)
    said = to_sql(node)
    for place, target in enumerate(select.targetList or ()):
        if to_sql(target.val) == said:
            return place
    message = "for SELECT DISTINCT, ORDER BY expressions must appear in select list"
    raise InvalidColumnReference(message)


def is_row_in(node: Any) -> bool:
    return (
        isinstance(node, ast.SubLink)
        and node.subLinkType == SubLinkType.ANY_SUBLINK
        and isinstance(node.testexpr, ast.RowExpr)
        and not node.operName
    )


def is_keyed(select: Any, outer: list[Any]) -> bool:
    """Whether ``select`` is compared with the columns around it, ``outer``, by plain columns of its own.

    Else, as in ``date(i.ts) = o.day``, DataFusion groups by ``i.ts``, and answers several times.
    """
    around = {id(node) for node in outer}
    seen: set[int] = set()
    for node in nodes(select.whereClause):
        if isinstance(node, ast.A_Expr) and node.kind == A_Expr_Kind.AEXPR_OP and node.name[-1].sval == "=":
            sides = [list(nodes(side)) for side in (node.lexpr, node.rexpr)]
            asks = [{id(inner) for inner in side} & around for side in sides]
            for side, mine, other in ((node.lexpr, *asks), (node.rexpr, *reversed(asks))):
                if other and not mine and not isinstance(side, ast.ColumnRef | ast.A_Const):
                    return False
            seen |= asks[0] | asks[1]
    return seen == around


def in_list(node: Any) -> Any | None:
    """``x IN (VALUES (1), (2))`` as ``x IN (1, 2)``."""
    select = node.subselect
    if node.subLinkType != SubLinkType.ANY_SUBLINK or node.operName or not select.valuesLists:
        return None
    single = all(len(row) == 1 for row in select.valuesLists) and not isinstance(node.testexpr, ast.RowExpr)
    if not single or any(getattr(select, name) for name in ("limitCount", "limitOffset", "withClause")):
        return None
    members = tuple(row[0] for row in select.valuesLists)
    name = (ast.String(sval="="),)
    return ast.A_Expr(kind=A_Expr_Kind.AEXPR_IN, name=name, lexpr=node.testexpr, rexpr=members, location=node.location)


def row_in(node: Any, *, negated: bool = False) -> Any:
    """``(a, b) [NOT] IN (SELECT …)`` where false and NULL are the same: [NOT] EXISTS."""
    names = [f"__c{i}" for i in range(len(node.testexpr.args))]
    alias = f"__in{next(_numbers)}"
    tests = " AND ".join(f"{alias}.{n} = {to_sql(a)}" for n, a in zip(names, node.testexpr.args, strict=True))
    if negated:  # a row that might be equal is enough to make it NULL
        tests = f"({tests}) IS NOT FALSE"
    rows = f"(SELECT 1 FROM ({to_sql(node.subselect)}) AS {alias}({', '.join(names)}) WHERE {tests})"
    return parse_expression(f"NOT EXISTS {rows}" if negated else f"EXISTS {rows}")


def in_value(node: Any, kind: Kind) -> Any:
    """``x IN (SELECT …)`` as a value, which may be NULL: DataFusion knows it only as a condition.

    ``kind``: what both sides are compared as. array_has takes doubles by their bits, so their ranks are given it.
    """
    value, rows = to_sql(node.testexpr), f"({to_sql(node.subselect)}) AS __in(__v)"
    sought, found = value, "__v"
    if kind in (kinds.REAL, kinds.DOUBLE):
        sought, found = (f"con_rank_f64(CAST({side} AS float8))" for side in (value, found))
    return parse_expression(
        f"CASE WHEN (SELECT count(*) FROM {rows}) = 0 THEN false"
        f" WHEN {value} IS NULL THEN NULL"
        f" WHEN coalesce(array_has((SELECT array_agg({found}) FROM {rows}), {sought}), false) THEN true"
        f" WHEN (SELECT count(*) - count(__v) FROM {rows}) > 0 THEN NULL ELSE false END"
    )


def exists_value(node: Any) -> Any:
    """EXISTS as a value, which DataFusion knows only as a condition; a count may be correlated, a derived table not."""
    select = node.subselect
    counted = select.targetList is not None and not any(getattr(select, clause) for clause in _MORE_THAN_ROWS)
    if counted and select.op == SetOperation.SETOP_NONE and not is_aggregate(select):
        select = copied(select)
        select.targetList = (ast.ResTarget(val=parse_expression("count(*)")),)
        select.sortClause = None
        return parse_expression(f"coalesce(({to_sql(select)}), 0) > 0")
    return parse_expression(f"(SELECT count(*) > 0 FROM ({to_sql(node.subselect)}) AS __exists)")


_MORE_THAN_ROWS = ("distinctClause", "groupClause", "havingClause", "limitCount", "limitOffset", "withClause")


def at_most_one(select: Any) -> Any:
    """A scalar subquery as an aggregate that fails on a second row.

    DataFusion takes a column that is never NULL to be so also when the subquery has no row.
    """
    if is_aggregate(select):
        return select
    plain = not (
        select.op != SetOperation.SETOP_NONE or select.valuesLists or select.groupClause or select.havingClause
        or select.distinctClause or select.sortClause or select.limitCount or select.limitOffset
        or select.withClause
    )  # fmt: skip
    if plain and len(select.targetList) == 1 and not _has_calls(select.targetList):
        target = select.targetList[0]
        if isinstance(target.val, ast.ColumnRef) and isinstance(target.val.fields[-1], ast.A_Star):
            return select
        target.val = _single(target.val)
        return select
    from constellationdb.planner.rewrite.tree import parse_query

    wrapped = parse_query(f"SELECT 1 FROM ({to_sql(select)}) AS __one(v)")
    wrapped.targetList[0].val = _single(ast.ColumnRef(fields=(ast.String(sval="__one"), ast.String(sval="v"))))
    return wrapped


def _single(value: Any) -> Any:
    return parse_expression(f"CASE WHEN con_at_most_one(count(*)) THEN max({to_sql(value)}) END")


def is_aggregate(select: Any) -> bool:
    """One row whatever it reads, even when that is nothing."""
    if select.op != SetOperation.SETOP_NONE or select.groupClause or select.havingClause or select.limitOffset:
        return False
    if select.limitCount is not None or select.valuesLists:
        return False
    if not select.fromClause and select.whereClause is None:
        return True
    return any(_aggregates(target.val) for target in select.targetList or ())


def is_aggregate_call(node: Any) -> bool:
    return isinstance(node, ast.FuncCall) and calls.is_aggregate(last_name(node)) and node.over is None


def _aggregates(node: Any) -> bool:
    """Whether an aggregate stands in ``node``, not in a subquery of it."""
    if is_aggregate_call(node):
        return True
    if isinstance(node, tuple | list):
        return any(_aggregates(member) for member in node)
    if not isinstance(node, ast.Node) or isinstance(node, ast.SubLink):
        return False
    return any(_aggregates(getattr(node, name)) for name in node)


def _has_calls(node: Any) -> bool:
    """Whether window functions stand in ``node``: they cannot go inside an aggregate."""
    if isinstance(node, ast.FuncCall) and node.over is not None:
        return True
    if isinstance(node, tuple | list):
        return any(_has_calls(member) for member in node)
    if not isinstance(node, ast.Node):
        return False
    return isinstance(node, ast.SubLink) or any(_has_calls(getattr(node, name)) for name in node)
