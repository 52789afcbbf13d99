"""A view's text over a relation that is called otherwise now, or has other columns.

FROM t        FROM u AS t                        renamed: what calls its columns t.a still finds them
FROM t        FROM (SELECT a, c AS b FROM t) AS t        pinned to the columns that the view knows
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pglast
from pglast import ast

from constellationdb.planner.rewrite.tree import nodes, parse_query
from constellationdb.planner.statements import CreateView
from constellationdb.planner.syntax.edits import Edit, apply_edits, identifier
from constellationdb.planner.syntax.tokens import Token, read_tokens


def pinned(
    sql: str, statement: CreateView, old: str, new: str, columns: Sequence[tuple[str, str]] | None
) -> str | None:
    """``sql``, the text of ``statement``, with ``new`` for ``old``; None where it cannot be written.

    ``columns``: (what they are called, what the view calls them), to show it these and no others.
    """
    query = statement.query
    tree = parse_query(query.text)
    base = query.offset - statement.offset
    if any(isinstance(node, ast.RangeFunction) and _mentions(node, old) for node in nodes(tree)):
        return None
    tokens = read_tokens(sql).tokens
    edits: list[Edit] = []
    for table in _tables(tree, old):
        begin = table.location + base
        end = _end_of_name(tokens, begin)
        edits.append((begin, end, _replacement(table, old, new, columns)))
    return apply_edits(sql, edits)[0]


def _mentions(function: Any, name: str) -> bool:
    columns = (node.fields[-1] for node in nodes(function) if isinstance(node, ast.ColumnRef))
    return any(isinstance(column, ast.String) and column.sval == name for column in columns)


def _tables(tree: Any, name: str) -> Iterator[Any]:
    """The places that read the relation: not those that read a WITH of that name."""
    ctes = {node.ctename for node in nodes(tree) if isinstance(node, ast.CommonTableExpr)}
    for node in nodes(tree):
        if not isinstance(node, ast.RangeVar) or node.relname != name:
            continue
        if node.schemaname == "public" or (node.schemaname is None and name not in ctes):
            yield node


def _end_of_name(tokens: Iterable[Token], begin: int) -> int:
    """Behind ``t`` or ``public.t``."""
    following = (token for token in tokens if token.start >= begin)
    end = next(following).end
    while (token := next(following, None)) is not None and token.word == ".":
        end = next(following).end
    return end


def _replacement(table: Any, old: str, new: str, columns: Sequence[tuple[str, str]] | None) -> str:
    alias = "" if table.alias is not None else f" AS {identifier(old)}"
    if columns is None:
        return identifier(new) + ("" if old == new else alias)
    listed = ", ".join(
        identifier(name) if name == known else f"{identifier(name)} AS {identifier(known)}" for name, known in columns
    )
    return f"(SELECT {listed} FROM {identifier(new)}){alias}"


def renamed_column(expression: str, old: str, new: str) -> str:
    """An expression over one table's columns, with another name for one of them."""
    prefix = "SELECT "
    tree = pglast.parse_sql(prefix + expression)[0].stmt
    text = prefix + expression
    tokens = read_tokens(text).tokens
    edits: list[Edit] = []
    for node in nodes(tree):
        if isinstance(node, ast.ColumnRef) and isinstance(node.fields[-1], ast.String) and node.fields[-1].sval == old:
            last = [token for token in tokens if node.location <= token.start][2 * (len(node.fields) - 1)]
            edits.append((last.start, last.end, identifier(new)))
    return apply_edits(text, edits)[0][len(prefix) :]
