"""The names by which the items of a FROM clause are called, and RETURNING's stars spelled out by them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pglast import ast

from constellationdb.planner.rewrite.tree import parse_query
from constellationdb.planner.syntax.edits import Edit, apply_edits, identifier
from constellationdb.planner.syntax.tokens import read_tokens

_SELECT = "SELECT "


def from_names(clause: str) -> list[str]:
    return [name for item in parse_query(f"SELECT FROM {clause}").fromClause for name in _names(item)]


def _names(item: Any) -> Iterator[str]:
    if item.alias is not None:
        yield item.alias.aliasname
    elif isinstance(item, ast.JoinExpr):
        yield from _names(item.larg)
        yield from _names(item.rarg)
    elif isinstance(item, ast.RangeVar):
        yield item.relname


def without_stars(targets: str, columns: Mapping[str, Sequence[str]]) -> str:
    """A target list with the columns in place of ``*`` and ``name.*``; ``columns`` by the name of their relation."""
    text = _SELECT + targets
    tokens = read_tokens(text).tokens
    edits: list[Edit] = []
    for target in parse_query(text).targetList:
        if not isinstance(target.val, ast.ColumnRef) or not isinstance(target.val.fields[-1], ast.A_Star):
            continue
        fields = target.val.fields
        named = [field.sval for field in fields[:-1]]
        relations = [named[-1]] if named else list(columns)
        if any(name not in columns for name in relations):
            continue
        begin = target.val.location
        end = next(token.end for token in tokens if token.start >= begin and token.word == "*")
        listed = [f"{identifier(name)}.{identifier(column)}" for name in relations for column in columns[name]]
        edits.append((begin, end, ", ".join(listed)))
    return apply_edits(text, edits)[0][len(_SELECT) :]
