"""A view's text over a relation that is called otherwise now, or has other columns.

FROM t        FROM u AS t                        renamed: what calls its columns t.a still finds them
FROM t        FROM (SELECT a, c AS b FROM t) AS t        pinned to the columns that the view knows

The relation is known by its name in the catalog, which the query's names give to what the text says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pglast
from pglast import ast

from constellationdb.planner.references import Names, key_of, meant, reference
from constellationdb.planner.rewrite.tree import nodes, parse_query, strings
from constellationdb.planner.statements import CreateView, Query
from constellationdb.planner.syntax.edits import Edit, apply_edits, identifier
from constellationdb.planner.syntax.tokens import Token, read_tokens


def pinned(sql: str, statement: CreateView, relation: str, columns: Sequence[tuple[str, str]] | None) -> str | None:
    """``sql``, the text of ``statement``, with other columns in ``relation``; None where it cannot be written.

    ``columns``: (what they are called, what the view calls them), to show it these and no others; None: all.
    """
    if columns is None:
        return sql
    query, base = statement.query, statement.query.offset - statement.offset
    tree = parse_query(query.text)
    if any(isinstance(node, ast.RangeFunction) and _mentions(node, query.names, relation) for node in nodes(tree)):
        return None
    tokens = read_tokens(sql).tokens
    edits: list[Edit] = []
    for table in _tables(tree, query.names, relation):
        begin = table.location + base
        end = _end_of_name(tokens, begin)
        edits.append((begin, end, _with_columns(table, sql[begin:end], columns)))
    for column in _qualified(tree, query.names, relation):
        schema, _, name = [token for token in tokens if token.start >= column.location + base][:3]
        edits.append((schema.start, name.start, ""))
    return apply_edits(sql, edits)[0]


def renamed(sql: str, statement: CreateView, relation: str, new: str) -> tuple[str, Names] | None:
    """The text where ``relation`` is called ``new``, and what its names mean; None where it would mean another."""
    query, base = statement.query, statement.query.offset - statement.offset
    tree = parse_query(query.text)
    tokens = read_tokens(sql).tokens
    edits: list[Edit] = []
    names: dict[str, str] = {}
    for table in _tables(tree, query.names, relation):
        if _is_taken(tree, query, table.schemaname, new):
            return None
        begin = table.location + base
        schema = "" if table.schemaname is None else f"{identifier(table.schemaname)}."
        alias = "" if table.alias is not None else f" AS {identifier(table.relname)}"
        edits.append((begin, _end_of_name(tokens, begin), f"{schema}{identifier(new)}{alias}"))
        names[reference(table.schemaname, new)] = relation
    for column in _qualified(tree, query.names, relation):
        schema_, _, name = [token for token in tokens if token.start >= column.location + base][:3]
        edits.append((schema_.start, name.start, ""))
    return (apply_edits(sql, edits)[0], (*names.items(), *query.names)) if edits else None


def _is_taken(tree: Any, query: Query, schema: str | None, name: str) -> bool:
    return meant(query.names, schema, name) is not None or (schema is None and name in _ctes(tree))


def _ctes(tree: Any) -> set[str]:
    return {node.ctename for node in nodes(tree) if isinstance(node, ast.CommonTableExpr)}


def _mentions(function: Any, names: Names, relation: str) -> bool:
    """Whether a window function is over the relation."""
    columns = (strings(node) for node in nodes(function) if isinstance(node, ast.ColumnRef))
    said = ((parts[-2] if len(parts) > 1 else None, parts[-1]) for parts in columns if parts)
    return any(key_of(names, schema, name) == relation for schema, name in said)


def _tables(tree: Any, names: Names, relation: str) -> Iterator[Any]:
    """The places that read the relation: not those that read a WITH of that name."""
    ctes = _ctes(tree)
    for node in nodes(tree):
        if not isinstance(node, ast.RangeVar) or (node.schemaname is None and node.relname in ctes):
            continue
        if key_of(names, node.schemaname, node.relname) == relation:
            yield node


def _qualified(tree: Any, names: Names, relation: str) -> Iterator[Any]:
    """Columns of the relation that name its schema, which what stands in its place has not."""
    for node in nodes(tree):
        if isinstance(node, ast.ColumnRef) and len(node.fields) == 3 and key_of(names, *strings(node)[:2]) == relation:
            yield node


def _end_of_name(tokens: Iterable[Token], begin: int) -> int:
    """Behind ``t`` or ``s.t``."""
    following = (token for token in tokens if token.start >= begin)
    end = next(following).end
    while (token := next(following, None)) is not None and token.word == ".":
        end = next(following).end
    return end


def _with_columns(table: Any, said: str, columns: Sequence[tuple[str, str]]) -> str:
    alias = "" if table.alias is not None else f" AS {identifier(table.relname)}"
    listed = ", ".join(
        identifier(name) if name == known else f"{identifier(name)} AS {identifier(known)}" for name, known in columns
    )
    return f"(SELECT {listed} FROM {said}){alias}"


def renamed_column(expression: str, old: str, new: str) -> str:
    """An expression over one table's columns, with another name for one of them."""
    return _with_columns_named(expression, lambda name: new if name == old else None)


def unqualified(expression: str) -> str:
    """An expression over one table's columns that does not name the table, which may be called otherwise some day."""
    return _with_columns_named(expression, lambda name: name)


def _with_columns_named(expression: str, name_of: Callable[[str], str | None]) -> str:
    """With other names for columns, in place of their qualified ones; None: as it is."""
    prefix = "SELECT "
    text = prefix + expression
    tokens = read_tokens(text).tokens
    edits: list[Edit] = []
    for node in nodes(pglast.parse_sql(text)[0].stmt):
        if isinstance(node, ast.ColumnRef) and isinstance(node.fields[-1], ast.String):
            name = name_of(node.fields[-1].sval)
            words = [token for token in tokens if node.location <= token.start][: 2 * len(node.fields) - 1]
            if name is not None:
                edits.append((words[0].start, words[-1].end, identifier(name)))
    return apply_edits(text, edits)[0][len(prefix) :]
