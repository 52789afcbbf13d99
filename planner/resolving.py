"""A statement's relations, resolved: its queries know which relations their names mean (``Query.names``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, TypeVar

import pglast
from pglast import ast

from constellationdb.planner import statements as st
from constellationdb.planner.references import Names, reference
from constellationdb.planner.rewrite.changelogs import changelog_relation, is_changelog
from constellationdb.planner.rewrite.tree import nodes, strings
from constellationdb.planner.rewrite.windows import is_window, relation_argument, relation_name
from constellationdb.planner.syntax.mask import mask
from constellationdb.planner.syntax.tokens import Region, read_tokens

AnyStatement = TypeVar("AnyStatement", bound=st.Statement)
# The relation's name in the catalog; NOWHERE when there is none.
Find = Callable[[str], str]


def references(tree: Any) -> list[str]:
    """Every relation that ``tree`` mentions, names of CTEs included: what might have to be looked up."""
    found: dict[str, None] = {}
    for node in nodes(tree):
        if is_changelog(node):
            if (said := changelog_relation(node)) is not None:
                found[said] = None
        elif isinstance(node, ast.RangeVar):
            found[reference(node.schemaname, node.relname)] = None
        elif isinstance(node, ast.RangeFunction) and is_window(node):
            name = relation_name(relation_argument(node))
            if name is not None:
                found[name] = None
    return list(found)


def _qualifiers(tree: Any) -> list[str]:
    """Those through which columns are named: ``s.t`` of ``s.t.a``."""
    columns = (node for node in nodes(tree) if isinstance(node, ast.ColumnRef) and len(node.fields) > 2)
    return [reference(*strings(node)[:2]) for node in columns if len(node.fields) == 3]


def resolved(statement: AnyStatement, find: Find) -> AnyStatement:
    changed: dict[str, Any] = {}
    for field in fields(statement):
        value = getattr(statement, field.name)
        if isinstance(value, st.Query):
            changed[field.name] = replace(value, names=_names(pglast.parse_sql(value.text), find))
        elif isinstance(value, st.Statement):
            changed[field.name] = resolved(value, find)
    if isinstance(statement, st.Insert | st.Update | st.Delete | st.Merge) and _has_expressions(statement):
        changed["meant"] = _names(pglast.parse_sql(_masked(statement.text)), find)
    return replace(statement, **changed) if changed else statement


def _has_expressions(statement: st.Statement) -> bool:
    """Not so an INSERT of constants, however many."""
    if not isinstance(statement, st.Insert):
        return True
    return statement.rows is None or statement.on_conflict is not None or statement.returning is not None


def _masked(text: str) -> str:
    source = read_tokens(text)
    return mask(Region(source, 0, len(source.tokens))).text


def _names(tree: Any, find: Find) -> Names:
    statements = [raw.stmt for raw in tree]
    return tuple((said, find(said)) for said in dict.fromkeys([*references(statements), *_qualifiers(statements)]))
