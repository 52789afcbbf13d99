"""The walk over a query and what it reads, from the outside in."""

from __future__ import annotations

from typing import Any

from pglast import ast
from pglast.enums import JoinType, SetOperation

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.rewrite.names import fresh
from constellationdb.planner.rewrite.tree import links, replace
from constellationdb.planner.unnest import parts
from constellationdb.planner.unnest.above import above_aggregates
from constellationdb.planner.unnest.aggregates import is_scalar
from constellationdb.planner.unnest.attach import attached, under
from constellationdb.planner.unnest.domain import domain_of
from constellationdb.planner.unnest.flat import flatten
from constellationdb.planner.unnest.links import answered, as_condition, in_calls, within_groups
from constellationdb.planner.unnest.names import aliases, column, free
from constellationdb.planner.unnest.order import NUMBER, spell_groups, values


def unnest(select: Any) -> Any:
    """``select``, which mentions nothing around it, without subqueries in its expressions and without LATERAL."""
    if select.withClause is not None:
        for cte in select.withClause.ctes:
            cte.ctequery = unnest(cte.ctequery)
    if select.op != SetOperation.SETOP_NONE:
        select.larg, select.rarg = unnest(select.larg), unnest(select.rarg)
        return select
    if select.valuesLists:
        return _values(select)
    above_aggregates(select)
    flatten(select)
    select.fromClause = _items(select.fromClause or ()) or None
    asked = parts.folded(select.fromClause)
    _rest(select, asked, _where(select, asked))
    return select


def _values(select: Any) -> Any:
    """VALUES with subqueries, as SELECTs; their rows keep their order."""
    if not links(select.valuesLists):
        return select
    names = [f"column{i + 1}" for i in range(len(select.valuesLists[0]))]
    union = None
    for number, row in enumerate(select.valuesLists):
        place = ast.A_Const(isnull=False, val=ast.Integer(ival=number))
        listed = [*map(parts.target, row, names), parts.target(place, NUMBER)]
        made = unnest(parts.query(listed, ()))
        union = made if union is None else parts.union_all(union, made)
    alias = fresh("rows")
    made = parts.query(
        [parts.target(column(alias, name), name) for name in names],
        (parts.derived(union, alias, [*names, NUMBER]),),
    )
    made.sortClause = select.sortClause or (parts.ascending(column(alias, NUMBER)),)
    made.limitCount, made.limitOffset, made.limitOption = select.limitCount, select.limitOffset, select.limitOption
    return made


# -- FROM ---------------------------------------------------------------------------------------------


def _items(items: Any) -> tuple[Any, ...]:
    """The members of FROM; those that mention others before them are joined to them."""
    done: list[Any] = []
    for item in items:
        if not free(item):
            done.append(_item(item))
        elif isinstance(item, ast.JoinExpr):
            done = [_item(under(item, parts.folded(done)))]
        else:
            done = [_lateral(parts.folded(done), item, JoinType.JOIN_INNER, None)]
    return tuple(done)


def _item(item: Any) -> Any:
    match item:
        case ast.RangeSubselect():
            item.subquery, item.lateral = unnest(item.subquery), False
        case ast.JoinExpr():
            return _join(item)
    return item


def _join(join: Any) -> Any:
    join.larg = _item(join.larg)
    if set(free(join.rarg)):
        if isinstance(join.rarg, ast.JoinExpr):
            raise FeatureNotSupported("LATERAL inside a join in parentheses is not supported")
        return _on(_lateral(join.larg, join.rarg, join.jointype, join.quals))
    join.rarg = _item(join.rarg)
    return _on(join)


def _lateral(left: Any, item: Any, kind: JoinType, quals: Any) -> Any:
    """``left`` joined with a subquery that mentions it."""
    if (
        left is None
        or kind not in (JoinType.JOIN_INNER, JoinType.JOIN_LEFT)
        or not isinstance(item, ast.RangeSubselect)
    ):
        raise FeatureNotSupported("LATERAL is only supported on the right of an inner or a left join")
    sought = free(item)
    domain = domain_of(left, (), sought)
    alias = item.alias.aliasname
    own = [name.sval for name in item.alias.colnames]
    names = [*own, *values(item.subquery)[len(own) :]]
    answers = parts.derived(unnest(attached(item.subquery, domain)), alias, [*domain.names, *names])
    tests = [*parts.matches(alias, domain.names, sought), *parts.conjuncts(quals)]
    return parts.joined(left, answers, kind=kind, quals=parts.conjunction(tests))


def _on(join: Any) -> Any:
    """The subqueries in a join's condition, asked on the side that they mention; of an inner join also behind it."""
    if join.jointype == JoinType.JOIN_INNER and any(_mentions_both(link, join) for link in links(join.quals)):
        return _behind(join)
    for link in links(join.quals):
        asked = {alias for alias, _ in free(link)}
        left, right = aliases(join.larg), aliases(join.rarg)
        if asked <= right and join.jointype in (JoinType.JOIN_INNER, JoinType.JOIN_LEFT):
            join.rarg, value = answered(link, join.rarg, join.rarg, (), unnest)
        elif asked <= left and join.jointype in (JoinType.JOIN_INNER, JoinType.JOIN_LEFT, JoinType.JOIN_RIGHT):
            join.larg, value = answered(link, join.larg, join.larg, (), unnest)
        else:
            raise FeatureNotSupported("a subquery in ON that mentions both sides of the join is not supported")
        join.quals = _put(join.quals, link, value)
    return join


def _mentions_both(link: Any, join: Any) -> bool:
    asked = {alias for alias, _ in free(link)}
    return bool(asked & aliases(join.larg)) and bool(asked & aliases(join.rarg))


def _behind(join: Any) -> Any:
    """An inner join whose condition is asked of its rows: of a join with one row of nothing, for FROM has no WHERE."""
    conditions = parts.conjuncts(join.quals)
    join.quals = parts.conjunction([part for part in conditions if not links(part)])
    asking, source = parts.conjunction([part for part in conditions if links(part)]), join
    for link in links(asking):
        source, value = answered(link, source, join, (), unnest)
        asking = _put(asking, link, value)
    one = parts.derived(
        parts.query([parts.target(ast.A_Const(val=ast.Integer(ival=1)), "one")], ()), fresh("one"), ["one"]
    )
    return parts.joined(source, one, quals=asking)


# -- WHERE and the rest ----------------------------------------------------------------------------------


def _where(select: Any, asked: Any | None) -> list[Any]:
    """The conditions that are free of subqueries say which rows of ``asked`` ask those of the others."""
    plain: list[Any] = []
    asking: list[Any] = []
    for part in parts.conjuncts(select.whereClause):
        (asking if links(part) else plain).append(part)
    for i, part in enumerate(asking):
        condition = as_condition(part) if isinstance(part, ast.SubLink) else part
        for link in links(condition):
            condition = _put(condition, link, _answer(select, link, asked, plain))
        asking[i] = condition
    select.whereClause = parts.conjunction([*plain, *asking])
    return plain


def _answer(select: Any, link: Any, asked: Any | None, where: list[Any]) -> Any:
    """What stands in the place of ``link``, whose answers come into FROM."""
    source, value = answered(link, parts.folded(select.fromClause), asked, where, unnest)
    select.fromClause = (source,)
    return value


_CLAUSES = ("targetList", "groupClause", "havingClause", "sortClause", "distinctClause", "windowClause")


def _rest(select: Any, asked: Any | None, where: list[Any]) -> None:
    grouped = bool(select.groupClause) or is_scalar(select)
    if grouped and links(select.targetList):
        spell_groups(select)
    for name in _CLAUSES:
        clause = getattr(select, name)
        called = in_calls(clause)
        for link in links(clause):
            value = _answer(select, link, asked, where)
            if grouped and name != "groupClause" and id(link) not in called:
                value = within_groups(value)
            clause = _put(clause, link, value)
        setattr(select, name, clause)


def _put(node: Any, link: Any, value: Any) -> Any:
    return replace(node, lambda inner: value if inner is link else None)
