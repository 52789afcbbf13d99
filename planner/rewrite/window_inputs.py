"""Windows over a subquery or a CTE: what the window reads gets a name, as a plain view of the query's own would have.

TUMBLE((SELECT * FROM trade WHERE price > 0), ts, INTERVAL '1 hour')
WITH big AS (SELECT …) SELECT … FROM TUMBLE(big, ts, INTERVAL '1 hour')
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pglast import ast

from constellationdb.planner.rewrite.tree import nodes, strings
from constellationdb.planner.rewrite.windows import is_window, relation_argument
from constellationdb.planner.statements import Query
from constellationdb.planner.syntax.edits import identifier
from constellationdb.planner.syntax.tokens import read_tokens


def name_window_inputs(tree: Any, query: Query, name: Callable[[str, Query], str]) -> None:
    """In place; ``name`` gives the query that a window reads a name, from what messages call it."""
    if any(isinstance(node, ast.RangeFunction) and is_window(node) for node in nodes(tree)):
        _Inputs(query, name).visit(tree, {})


class _Inputs:
    def __init__(self, query: Query, name: Callable[[str, Query], str]) -> None:
        self._query = query
        self._source = read_tokens(query.text)
        self._name = name

    def visit(self, node: Any, ctes: dict[str, tuple[int, int]]) -> None:
        """``ctes``: where the text begins and ends that defines each, with those before it."""
        if isinstance(node, tuple | list):
            for member in node:
                self.visit(member, ctes)
            return
        if not isinstance(node, ast.Node):
            return
        if isinstance(node, ast.SelectStmt) and node.withClause is not None:
            ctes = ctes | self._with(node.withClause, ctes)
        if isinstance(node, ast.RangeFunction):
            self._function(node, ctes)
        for part in node:
            if part != "withClause":
                self.visit(getattr(node, part), ctes)

    def _with(self, clause: Any, ctes: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
        found: dict[str, tuple[int, int]] = {}
        for cte in clause.ctes:
            self.visit(cte.ctequery, ctes | found)
            found[cte.ctename] = (clause.location, self._cte_end(cte.location))
        return found

    def _function(self, function: Any, ctes: dict[str, tuple[int, int]]) -> None:
        argument = relation_argument(function) if is_window(function) else None
        if isinstance(argument, ast.SubLink):
            start = argument.location
            text = self._query.text[start : self._closing(start)]
            self._put(function, "subquery", text, start)
        elif isinstance(argument, ast.ColumnRef) and len(strings(argument)) == 1 and strings(argument)[0] in ctes:
            name = strings(argument)[-1]
            start, end = ctes[name]
            text = f"{self._query.text[start:end]} SELECT * FROM {identifier(name)}"
            self._put(function, name, text, start)

    def _put(self, function: Any, name: str, text: str, start: int) -> None:
        written = range(start, start + len(text))
        temporal = tuple(
            replace(clause, relation_position=clause.relation_position - start)
            for clause in self._query.temporal
            if clause.relation_position in written
        )
        asof = tuple(
            replace(clause, condition_position=clause.condition_position - start)
            for clause in self._query.asof
            if clause.condition_position in written
        )
        offset = self._query.offset + start
        query = replace(self._query, text=text, offset=offset, emit=None, temporal=temporal, asof=asof)
        call = function.functions[0][0]
        old = relation_argument(function)
        new = ast.ColumnRef(fields=(ast.String(sval=self._name(name, query)),))
        for argument in call.args:
            if isinstance(argument, ast.NamedArgExpr) and argument.arg is old:
                argument.arg = new
        call.args = tuple(new if argument is old else argument for argument in call.args)

    def _closing(self, start: int) -> int:
        """Behind the bracket that closes the first one from ``start`` on."""
        tokens = self._source.tokens
        opened = next(i for i, token in enumerate(tokens) if token.start >= start and token.word == "(")
        return tokens[self._source.matching(opened, len(tokens))].end

    def _cte_end(self, start: int) -> int:
        """Behind ``name [(columns)] AS [[NOT] MATERIALIZED] (query)``."""
        tokens = self._source.tokens
        place = 1 + next(i for i, token in enumerate(tokens) if token.start >= start)
        if tokens[place].word == "(":
            place = self._source.matching(place, len(tokens)) + 1
        return self._closing(tokens[place].start)
