"""Types of which equal values need not look the same: an interval of 24 hours and one of a day, 1 and 1.0 in jsonb.

DataFusion tells such values apart by what they look like. So they are compared, sorted and grouped by a key that equal
ones share, and what is shown for a group is one of its values: the least, also by what it looks like.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pglast import ast

from constellationdb.catalog import types
from constellationdb.errors import FeatureNotSupported
from constellationdb.planner import record_order
from constellationdb.planner.analysis import forms, kinds
from constellationdb.planner.analysis.kinds import Kind
from constellationdb.planner.analysis.made_kinds import Made
from constellationdb.planner.rewrite.names import column_name, fresh, mark
from constellationdb.planner.rewrite.tree import copied, parse_expression, parse_query, to_sql

_KEYS = {kinds.INTERVAL: "con_interval_order", kinds.JSONB: "con_jsonb_key"}


def is_keyed(kind: Kind) -> bool:
    return kind in _KEYS or (isinstance(kind, Made) and record_order.is_keyed(kind.sql_type))


def any_keyed(found: Iterable[Kind]) -> bool:
    return any(is_keyed(kind) or (kind is not None and kinds.is_array(kind) and is_keyed(kinds.element(kind)))
               for kind in found)  # fmt: skip


def key(node: Any, kind: Kind) -> Any:
    """What ``node`` is compared by; itself where equal values look the same."""
    if isinstance(kind, Made):
        record_order.check_comparable(kind.sql_type)
        return _made_key(node, kind) if is_keyed(kind) else node
    return forms.call(_KEYS[kind], node) if kind in _KEYS else node


def is_sorted_by_key(kind: Kind) -> bool:
    """Of made types: rows and enums are texts that sort in another order than they."""
    return (
        kind == kinds.INTERVAL
        or kinds.is_array(kind)
        or (isinstance(kind, Made) and bool(kind.sql_type.fields or kind.sql_type.labels))
    )


def sort_key(node: Any, kind: Kind) -> Any:
    if kinds.is_array(kind):
        return array_key(node, str(kind))
    if not is_sorted_by_key(kind):
        return node
    return _made_key(node, kind) if isinstance(kind, Made) else key(node, kind)


def order_key(node: Any, kind: Kind) -> Any:
    """What equal values share, and are sorted by, too."""
    return sort_key(node, kind) if is_sorted_by_key(kind) else key(node, kind)


def _made_key(node: Any, kind: Made) -> Any:
    record_order.check_comparable(kind.sql_type)
    return forms.call("con_made_key", node, forms.text(types.describe(kind.sql_type)))


def array_key(node: Any, kind: str) -> Any:
    """What an array compares by (``planner.array_orders``)."""
    element = kinds.element(kind)
    if element in (kinds.REAL, kinds.DOUBLE):
        return forms.call("con_order_doubles", kinds.cast(node, f"{kinds.DOUBLE}[]"))
    if element == kinds.NUMERIC:
        return forms.call("con_order_numerics", kinds.cast(node, f"{kinds.TEXT}[]"))
    if kinds.is_text(element):
        return forms.call("con_order_texts", kinds.cast(node, f"{kinds.TEXT}[]"))
    return forms.call("con_order_integers", kinds.cast(node, f"{kinds.BIGINT}[]"))


def compared_arrays(left: Any, right: Any, found: tuple[Kind, Kind], position: int | None) -> tuple[Any, Any]:
    """Both sides of a comparison of arrays, as what they compare by."""
    refuse("a comparison", found, position)
    kind = kinds.unify(found)
    if kind is None:
        return left, right
    sides = zip((left, right), found, strict=True)
    made = (node if mine == kind else kinds.cast(node, kind) for node, mine in sides)
    first, second = (array_key(node, kind) for node in made)
    return first, second


def extreme(name: str, node: Any) -> Any:
    """min or max of intervals: of texts that sort as they do."""
    return forms.call("con_interval_unsorted", forms.call(name, forms.call("con_interval_sorted", node)))


def member(node: Any, kind: Kind) -> Any:
    """One of the equal values of a group."""
    if kind == kinds.INTERVAL:
        return extreme("min", node)
    if isinstance(kind, Made):
        return forms.call("min", node)
    return forms.call("con_jsonb", forms.call("min", kinds.cast(node, kinds.TEXT)))


def first_of(name: str, members: Sequence[Any], kind: Kind) -> Any:
    """GREATEST or LEAST of what sorts by keys: of equal ones, the first."""
    made, sign = members[0], ">=" if name == "GREATEST" else "<="
    for other in members[1:]:
        left, right = to_sql(made), to_sql(other)
        keys = [to_sql(sort_key(parse_expression(side), kind)) for side in (left, right)]
        order = f"{keys[0]} {sign} {keys[1]}"
        made = parse_expression(f"CASE WHEN ({right}) IS NULL OR {order} THEN {left} ELSE {right} END")
    return made


def null_if(left: Any, right: Any, kind: Kind) -> Any:
    text = to_sql(left)
    return parse_expression(
        f"CASE WHEN {to_sql(key(left, kind))} = {to_sql(key(right, kind))} THEN NULL ELSE {text} END"
    )


def refuse(what: str, found: Iterable[Kind], position: int | None = None) -> None:
    """Where there is no saying it by keys."""
    for kind in found:
        if any_keyed((kind,)):
            raise FeatureNotSupported(f"{what} of {kind} values is not supported", position=position)


Shown = dict[str, tuple[Any, Kind]]  # how a value that is grouped by may be written, and how it is said


def grouped(select: Any, shown: Shown) -> None:
    """The values that ``select`` is grouped by, where it shows them, as members of their groups."""
    for place, target in enumerate(select.targetList or ()):
        name = column_name(target)
        if target.name is None and name is not None:
            target.name = mark(place, name) if name == "?column?" else name
        target.val = _as_members(target.val, shown)
    select.havingClause = _as_members(select.havingClause, shown)
    for sort in select.sortClause or ():
        sort.node = _as_members(sort.node, shown)


def _marked(select: Any, given: str) -> Any:
    """The rows of both sides of a set operation, and of which of them each is."""
    sides = zip((select.larg, select.rarg), ("1 AS a, 0 AS b", "0 AS a, 1 AS b"), strict=True)
    marked = [f"SELECT {given}, {mark} FROM ({to_sql(side)}) AS {fresh('one')}({given})" for side, mark in sides]
    return parse_query(" UNION ALL ".join(marked))


def _as_members(node: Any, shown: Shown) -> Any:
    """Nothing changes inside aggregates, which read the rows, and in subqueries."""
    if isinstance(node, tuple | list):
        return tuple(_as_members(part, shown) for part in node)
    if not isinstance(node, ast.Node) or isinstance(node, ast.SelectStmt) or forms.is_aggregate_call(node):
        return node
    if isinstance(node, ast.ColumnRef | ast.FuncCall | ast.A_Expr | ast.TypeCast | ast.CaseExpr | ast.CoalesceExpr):
        text = to_sql(node)
        if text in shown:
            return member(*shown[text])
        for name, (_, kind) in shown.items():  # the key of a value is the same in the whole group
            if text == to_sql(key(parse_expression(name), kind)):
                return node
    for name in node:
        value = getattr(node, name)
        if isinstance(value, ast.Node | tuple | list):
            setattr(node, name, _as_members(value, shown))
    return node


def sorted_outputs(select: Any, names: Sequence[str], found: Sequence[Kind]) -> None:
    """A set operation with ORDER BY, in place, where its columns sort by keys: a query over it that sorts."""
    alias = fresh("side")
    inner = copied(select)
    inner.sortClause = inner.limitCount = inner.limitOffset = inner.withClause = None
    given = ", ".join(f"c{i}" for i in range(len(found)))
    columns = [f"{alias}.c{i}" for i in range(len(found))]
    made = parse_query(f"SELECT {', '.join(columns)} FROM ({to_sql(inner)}) AS {alias}({given})")
    for place, (target, name) in enumerate(zip(made.targetList, names, strict=True)):
        target.name = mark(place, name) if name == "?column?" or name in names[:place] else name
    for sort in select.sortClause:
        at = forms.output_place(sort.node, select, names)
        sort.node = sort_key(parse_expression(columns[at]), found[at])
    _replaced(select, made)


def _replaced(select: Any, made: Any) -> None:
    """``made`` in the place of ``select``, whose order, limits and WITH it keeps."""
    made.sortClause, made.withClause = select.sortClause, select.withClause
    made.limitCount, made.limitOffset, made.limitOption = select.limitCount, select.limitOffset, select.limitOption
    for part in select:
        setattr(select, part, getattr(made, part))


_SIDES = {"INTERSECT": "sum({0}.a) > 0 AND sum({0}.b) > 0", "EXCEPT": "sum({0}.a) > 0 AND sum({0}.b) = 0"}


def _is_grouped_by_key(kind: Kind) -> bool:
    return is_keyed(kind) or (isinstance(kind, Made) and is_sorted_by_key(kind))


def distinct(select: Any, names: Sequence[str], found: Sequence[Kind], word: str = "UNION") -> None:
    """SELECT DISTINCT, or a set operation, in place: groups of rows with equal keys, each shown by values of its rows.

    Of INTERSECT and EXCEPT the rows of both sides are marked: each group counts them, and shows those of the left one.
    """
    alias = fresh("side")
    columns = [f"{alias}.c{i}" for i in range(len(found))]
    keys = [
        to_sql(order_key(parse_expression(c), kind)) if _is_grouped_by_key(kind) else c
        for c, kind in zip(columns, found, strict=True)
    ]
    given = ", ".join(f"c{i}" for i in range(len(found)))
    marked = word in _SIDES
    one = "CASE WHEN {0}.a = 1 THEN {1} END" if marked else "{1}"
    shown = [
        to_sql(member(parse_expression(one.format(alias, c)), k)) if _is_grouped_by_key(k) else c
        for c, k in zip(columns, found, strict=True)
    ]
    inner = _marked(select, given) if marked else copied(select)
    inner.distinctClause = inner.sortClause = inner.limitCount = inner.limitOffset = inner.withClause = None
    having = f" HAVING {_SIDES[word].format(alias)}" if marked else ""
    made = parse_query(
        f"SELECT {', '.join(shown)} FROM ({to_sql(inner)}) AS {alias}({given}{', a, b' * marked})"
        f" GROUP BY {', '.join(keys)}{having}"
    )
    for place, (target, name) in enumerate(zip(made.targetList, names, strict=True)):
        target.name = mark(place, name) if name == "?column?" or name in names[:place] else name
    for sort in select.sortClause or ():
        sort.node = parse_expression(keys[forms.output_place(sort.node, select, names)])
    _replaced(select, made)
