"""The items of a FROM clause, and RETURNING's stars spelled out by their names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pglast import ast

from constellationdb.planner.references import Names, key_of
from constellationdb.planner.rewrite.qualified import HASH, stand_in
from constellationdb.planner.rewrite.tree import nodes, parse_query, strings
from constellationdb.planner.syntax.edits import Edit, apply_edits, identifier
from constellationdb.planner.syntax.tokens import read_tokens

_SELECT = "SELECT "


@dataclass(frozen=True)
class FromItem:
    """``said``: how columns name it, ``text`` how it is told from others of that name; ``relation``: what it reads.

    ``names``: what the text means by it.
    """

    said: str
    text: str
    relation: str | None
    names: Names = ()


def from_items(with_clause: str, clause: str, names: Names) -> list[FromItem]:
    tree = parse_query(f"{with_clause} SELECT FROM {clause}")
    ctes = {node.ctename for node in nodes(tree) if isinstance(node, ast.CommonTableExpr)}
    return [found for item in tree.fromClause for found in _items(item, names, ctes)]


def _items(item: Any, names: Names, ctes: set[str]) -> Iterator[FromItem]:
    relation = None
    if isinstance(item, ast.RangeVar) and (item.schemaname is not None or item.relname not in ctes):
        relation = key_of(names, item.schemaname, item.relname)
    if item.alias is not None:
        yield FromItem(item.alias.aliasname, identifier(item.alias.aliasname), relation)
    elif isinstance(item, ast.JoinExpr):
        yield from _items(item.larg, names, ctes)
        yield from _items(item.rarg, names, ctes)
    elif isinstance(item, ast.RangeVar):
        said = identifier(item.relname)
        if item.schemaname is not None:
            yield FromItem(item.relname, f"{identifier(item.schemaname)}.{said}", relation)
        elif relation is None:
            yield FromItem(item.relname, said, relation)
        else:
            yield FromItem(item.relname, f'"{HASH}".{said}', relation, ((stand_in(item.relname), relation),))


def without_stars(targets: str, items: Sequence[tuple[FromItem, str, Sequence[str]]], names: Names) -> str:
    """A target list with columns in place of ``*`` and ``name.*``; ``items``: with their stand-ins and columns."""
    text = _SELECT + targets
    tokens = read_tokens(text).tokens
    edits: list[Edit] = []
    for target in parse_query(text).targetList:
        if not isinstance(target.val, ast.ColumnRef) or not isinstance(target.val.fields[-1], ast.A_Star):
            continue
        meant = _meant(strings(target.val), items, names)
        if not meant:
            continue
        begin = target.val.location
        end = next(token.end for token in tokens if token.start >= begin and token.word == "*")
        listed = (f"{identifier(name)}.{identifier(column)}" for _, name, columns in meant for column in columns)
        edits.append((begin, end, ", ".join(listed)))
    return apply_edits(text, edits)[0][len(_SELECT) :]


def _meant(
    qualifiers: Sequence[str], items: Sequence[tuple[FromItem, str, Sequence[str]]], names: Names
) -> list[tuple[FromItem, str, Sequence[str]]]:
    """The items of a star; none where it is to be said that there is none, or several."""
    if not qualifiers:
        return list(items)
    found = [item for item in items if item[0].said == qualifiers[-1]]
    if len(qualifiers) > 1:
        relation = key_of(names, *qualifiers[-2:])
        found = [item for item in found if item[0].relation == relation]
    return found if len(found) == 1 else []
