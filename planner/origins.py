"""Which column of which relation an output is, where it is nothing but that: what RowDescription tells of it.

Subqueries and WITH are looked through, as in Postgres; a view is a relation. A
query that has more to it (UNION, columns that JOIN USING merges) has no origins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pglast import ast
from pglast.enums import SetOperation

from constellationdb.planner.references import Names, key_of
from constellationdb.planner.rewrite.tree import parse_query, strings
from constellationdb.planner.statements import Query


class Origin(NamedTuple):
    relation: str
    column: str


# A relation's columns in order; None when there is no such relation.
ColumnsOf = Callable[[str], Sequence[str] | None]
_Outputs = list[tuple[str, Origin | None]]  # by name


class _Unknown(Exception):
    """There is more to the query than is looked at here."""


def origins(query: Query, columns_of: ColumnsOf, count: int) -> list[Origin | None]:
    """One for each of the ``count`` outputs."""
    try:
        found = [origin for _, origin in _Select(columns_of, query.names).outputs(parse_query(query.text))]
    except _Unknown:
        found = []
    return found if len(found) == count else [None] * count


@dataclass
class _Select:
    columns_of: ColumnsOf
    names: Names
    ctes: dict[str, _Outputs] = field(default_factory=dict)

    def outputs(self, select: Any) -> _Outputs:
        if not isinstance(select, ast.SelectStmt) or select.op != SetOperation.SETOP_NONE or select.valuesLists:
            raise _Unknown
        inner = _Select(self.columns_of, self.names, dict(self.ctes))
        for cte in select.withClause.ctes if select.withClause else ():
            inner.ctes[cte.ctename] = _named(inner.outputs(cte.ctequery), cte.aliascolnames)
        tables: dict[str, _Outputs] = {}
        for item in select.fromClause or ():
            inner._from(item, tables)
        return [output for target in select.targetList or () for output in _outputs_of(target, tables)]

    def _from(self, item: Any, tables: dict[str, _Outputs]) -> None:
        match item:
            case ast.JoinExpr() if not (item.usingClause or item.isNatural or item.alias):
                self._from(item.larg, tables)
                self._from(item.rarg, tables)
            case ast.RangeVar():
                self._add(tables, item.relname, item.alias, self._relation(item))
            case ast.RangeSubselect() if item.alias is not None:
                self._add(tables, "", item.alias, self.outputs(item.subquery))
            case _:
                raise _Unknown

    def _add(self, tables: dict[str, _Outputs], name: str, alias: Any, outputs: _Outputs) -> None:
        known = name if alias is None else alias.aliasname
        if known in tables:
            raise _Unknown
        tables[known] = outputs if alias is None else _named(outputs, alias.colnames)

    def _relation(self, item: Any) -> _Outputs:
        if item.schemaname is None and item.relname in self.ctes:
            return self.ctes[item.relname]
        name = key_of(self.names, item.schemaname, item.relname)
        columns = self.columns_of(name)
        if columns is None:
            raise _Unknown
        return [(column, Origin(name, column)) for column in columns]


def _named(outputs: _Outputs, names: Any) -> _Outputs:
    given = [name.sval for name in names or ()]
    return [(given[place] if place < len(given) else name, origin) for place, (name, origin) in enumerate(outputs)]


def _outputs_of(target: Any, tables: dict[str, _Outputs]) -> _Outputs:
    node = target.val
    if not isinstance(node, ast.ColumnRef):
        return [(target.name or "", None)]
    names = strings(node)
    if isinstance(node.fields[-1], ast.A_Star):
        within = tables if not names else {names[-1]: tables.get(names[-1], [])}
        return [output for outputs in within.values() for output in outputs]
    within = tables if len(names) == 1 else {names[-2]: tables.get(names[-2], [])}
    found = [origin for outputs in within.values() for name, origin in outputs if name == names[-1]]
    return [(target.name or names[-1], found[0] if len(found) == 1 else None)]
