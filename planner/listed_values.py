"""String literals of VALUES in an INSERT are read as their columns' types, whatever the other rows hold.

INSERT INTO t (f) VALUES (1.5 * 2), ('NaN')     VALUES (1.5 * 2), ('NaN'::double precision)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pglast import ast

from constellationdb.planner.analysis import kinds
from constellationdb.planner.analysis.kinds import Kind
from constellationdb.planner.analysis.made_kinds import Made
from constellationdb.planner.rewrite.tree import parse_expression, parse_query, to_sql

_PASSED = frozenset({None, *kinds.TEXTS, *kinds.OIDS, *kinds.VECTORS})  # what a text is stored as in any case


def read_as(text: str, columns: Sequence[Kind]) -> str:
    """The query ``text`` with its literals cast; as it is where it is no list of values."""
    tree = parse_query(text)
    if not tree.valuesLists or any(len(row) > len(columns) for row in tree.valuesLists):
        return text  # it is refused later
    rows = tuple(tuple(map(_read, row, columns)) for row in tree.valuesLists)
    if rows == tree.valuesLists:
        return text
    tree.valuesLists = rows
    return to_sql(tree)


def _read(value: Any, kind: Kind) -> Any:
    if isinstance(kind, Made):  # it stands beside rows, which are given their type later
        return value
    if kind in _PASSED or not isinstance(value, ast.A_Const) or not isinstance(value.val, ast.String) or value.isnull:
        return value
    cast = parse_expression(f"CAST(NULL AS {kind})")
    cast.arg = value
    return cast
