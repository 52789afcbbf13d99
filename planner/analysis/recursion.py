"""The forms of WITH RECURSIVE that Postgres takes: a base, UNION, and a step that reads the query once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pglast import ast
from pglast.enums import JoinType, SetOperation

from constellationdb.errors import ConstellationError, DatatypeMismatch, FeatureNotSupported, InvalidRecursion
from constellationdb.planner.analysis.calls import AGGREGATES
from constellationdb.planner.analysis.kinds import UNKNOWN
from constellationdb.planner.analysis.scope import Column
from constellationdb.planner.rewrite.tree import last_name, nodes

Position = Callable[[Any], int | None]
_LEFT = (JoinType.JOIN_LEFT, JoinType.JOIN_FULL)
_RIGHT = (JoinType.JOIN_RIGHT, JoinType.JOIN_FULL)


def check_recursion(ctes: Sequence[Any], at: Position) -> None:
    for number, cte in enumerate(ctes):
        later = {other.ctename for other in ctes[number + 1 :]}
        if later and any(isinstance(n, ast.RangeVar) and n.relname in later for n in nodes(cte.ctequery)):
            if any(_references(other.ctequery, cte.ctename) for other in ctes[number + 1 :]):
                raise FeatureNotSupported("mutual recursion between WITH items is not implemented", position=at(cte))
            continue
        if _references(cte.ctequery, cte.ctename):
            _check(cte, at)


def _check(cte: Any, at: Position) -> None:
    name, query = cte.ctename, cte.ctequery
    if query.op != SetOperation.SETOP_UNION:
        raise InvalidRecursion(
            f'recursive query "{name}" does not have the form non-recursive-term UNION [ALL] recursive-term',
            position=at(cte),
        )
    for clause, word in (("sortClause", "ORDER BY"), ("limitOffset", "OFFSET"), ("limitCount", "LIMIT")):
        if (found := getattr(query, clause)) is not None:
            first = found[0].node if isinstance(found, tuple) else found
            raise FeatureNotSupported(f"{word} in a recursive query is not implemented", position=at(first))
    if early := _references(query.larg, name):
        raise _misplaced(name, "within its non-recursive term", at(early[0]))
    for table, where in _places(query.rarg, name, ""):
        if where:
            raise _misplaced(name, f"within {where}", at(table))
    several = _references(query.rarg, name)
    if len(several) > 1:
        raise _misplaced(name, "more than once", at(several[1]))
    for node in _own_nodes(query.rarg.targetList):
        if isinstance(node, ast.FuncCall) and node.over is None and last_name(node) in AGGREGATES:
            raise InvalidRecursion(
                "aggregate functions are not allowed in a recursive query's recursive term", position=at(node)
            )


def _own_nodes(node: Any) -> Iterator[Any]:
    """Those of an expression, not of the queries in it."""
    if isinstance(node, tuple):
        for member in node:
            yield from _own_nodes(member)
    elif isinstance(node, ast.Node) and not isinstance(node, ast.SelectStmt):
        yield node
        for part in node:
            yield from _own_nodes(getattr(node, part))


def check_types(cte: Any, base: Sequence[Column], found: Sequence[Column], position: int | None) -> None:
    """The base decides the types of the whole query: a step that would change one is an error."""
    if not _references(cte.ctequery, cte.ctename):
        return
    for number, (mine, whole) in enumerate(zip(base, found, strict=True), 1):
        if None not in (mine.kind, whole.kind) and mine.kind not in (UNKNOWN, whole.kind):
            raise DatatypeMismatch(
                f'recursive query "{cte.ctename}" column {number} has type {mine.kind} in non-recursive term'
                f" but type {whole.kind} overall",
                hint="Cast the output of the non-recursive term to the correct type.",
                position=position,
            )


def _misplaced(name: str, where: str, position: int | None) -> ConstellationError:
    return InvalidRecursion(f'recursive reference to query "{name}" must not appear {where}', position=position)


def _references(node: Any, name: str) -> list[Any]:
    return [n for n in nodes(node) if isinstance(n, ast.RangeVar) and n.relname == name and n.schemaname is None]


def _places(node: Any, name: str, where: str) -> Iterator[tuple[Any, str]]:
    """Each reference, and the construct around it in which it has no meaning; empty where it has one."""
    match node:
        case tuple():
            for member in node:
                yield from _places(member, name, where)
            return
        case ast.RangeVar() if node.relname == name and node.schemaname is None:
            yield node, where
            return
        case ast.SubLink():
            yield from _places(node.testexpr, name, where)
            yield from _places(node.subselect, name, where or "a subquery")
            return
        case ast.JoinExpr():
            yield from _places(node.larg, name, where or ("an outer join" if node.jointype in _RIGHT else ""))
            yield from _places(node.rarg, name, where or ("an outer join" if node.jointype in _LEFT else ""))
            yield from _places(node.quals, name, where)
            return
        case ast.SelectStmt() if node.op == SetOperation.SETOP_EXCEPT:
            yield from _places(node.larg, name, where)
            yield from _places(node.rarg, name, where or "EXCEPT")
            return
        case ast.SelectStmt() if node.op == SetOperation.SETOP_INTERSECT and node.all:
            yield from _places(node.larg, name, where or "INTERSECT")
            yield from _places(node.rarg, name, where or "INTERSECT")
            return
    if isinstance(node, ast.Node):
        for part in node:
            yield from _places(getattr(node, part), name, where)
