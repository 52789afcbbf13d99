"""The walk over a query that finds what has to be a stage of its own, from the inside out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from pglast import ast
from pglast.enums import SetOperation

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.rewrite.tree import nodes
from constellationdb.planner.staging.sets import has_sets, split


class Maker(Protocol):
    """Makes streams of queries and gives each the name of a relation, under which others read it."""

    def shared(self, query: Any, names: Sequence[str]) -> str:
        """The rows of ``query``; ``names`` are those of its first columns, where they are given."""
        ...

    def unnested(self, query: Any, count: int, names: Sequence[str]) -> str:
        """The rows of ``query``, once for each element of the arrays behind its first ``count`` columns."""
        ...

    def working(self, base: Any, names: Sequence[str]) -> str:
        """What the step of a recursion reads: rows as those of ``base``."""
        ...

    def recursive(self, working: str, step: Any, *, distinct: bool) -> str:
        """The fixpoint of ``step`` over the base of ``working``."""
        ...


def needs_stages(tree: Any) -> bool:
    """Whether some part of ``tree`` cannot be said in Substrait."""
    return any(
        (isinstance(node, ast.SelectStmt) and has_sets(node)) or (isinstance(node, ast.WithClause) and node.recursive)
        for node in nodes(tree)
    )


def staged(tree: Any, make: Maker) -> Any:
    """``tree`` without the parts that became stages; common tables are stages, too, for these may read them."""
    return _Walk(make).query(tree, {}) if needs_stages(tree) else tree


class _Walk:
    def __init__(self, make: Maker) -> None:
        self._make = make

    def query(self, select: Any, known: Mapping[str, str]) -> Any:
        """``known``: the common tables in sight, and the relations that they became."""
        if select.withClause is not None:
            for cte in select.withClause.ctes:
                known = {**known, cte.ctename: self._common(cte, known, recursive=select.withClause.recursive)}
            select.withClause = None
        if select.op != SetOperation.SETOP_NONE:
            select.larg, select.rarg = self.query(select.larg, known), self.query(select.rarg, known)
            return select
        select.fromClause = tuple(self._item(item, known) for item in select.fromClause or ()) or None
        return split(select, self._make.unnested) if has_sets(select) else select

    def _common(self, cte: Any, known: Mapping[str, str], *, recursive: bool) -> str:
        names = [name.sval for name in cte.aliascolnames or ()]
        query = cte.ctequery
        if not recursive or not reads(query, cte.ctename):
            return self._make.shared(self.query(query, known), names)
        if query.op != SetOperation.SETOP_UNION:
            raise FeatureNotSupported("a recursive query is only supported as base UNION [ALL] step")
        working = self._make.working(self.query(query.larg, known), names)
        step = self.query(query.rarg, {**known, cte.ctename: working})
        return self._make.recursive(working, step, distinct=not query.all)

    def _item(self, item: Any, known: Mapping[str, str]) -> Any:
        match item:
            case ast.RangeVar() if item.schemaname is None and item.relname in known:
                item.relname = known[item.relname]
            case ast.RangeSubselect():
                item.subquery = self.query(item.subquery, known)
            case ast.JoinExpr():
                item.larg, item.rarg = self._item(item.larg, known), self._item(item.rarg, known)
        return item


def reads(query: Any, name: str) -> bool:
    return any(isinstance(node, ast.RangeVar) and node.relname == name for node in nodes(query))
