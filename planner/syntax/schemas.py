"""CREATE, DROP and ALTER SCHEMA, and COMMENT ON."""

from __future__ import annotations

from typing import Any

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.statements import (
    Comment,
    CommentedKind,
    CreateSchema,
    DropSchema,
    RenameSchema,
    Statement,
)
from constellationdb.planner.syntax import postgres
from constellationdb.planner.syntax.cursor import Cursor
from constellationdb.planner.syntax.edits import Edit, overlay
from constellationdb.planner.syntax.names import of_strings
from constellationdb.planner.syntax.tokens import Region

_KINDS: dict[str, CommentedKind] = {
    "OBJECT_COLUMN": "column",
    "OBJECT_DATABASE": "database",
    "OBJECT_INDEX": "index",
    "OBJECT_MATVIEW": "materialized view",
    "OBJECT_SCHEMA": "schema",
    "OBJECT_SEQUENCE": "sequence",
    "OBJECT_TABCONSTRAINT": "constraint",
    "OBJECT_TABLE": "table",
    "OBJECT_VIEW": "view",
}
# What Postgres' grammar has another word for.
_OURS: tuple[tuple[tuple[str, ...], CommentedKind], ...] = (
    (("sink",), "sink"),
    (("source",), "source"),
    (("lookup", "table"), "lookup table"),
    (("foreign", "table"), "foreign table"),
    (("subscription",), "subscription"),
)


def create_schema(region: Region) -> Statement:
    node = postgres.tree(region)
    if node.schemaElts:
        raise FeatureNotSupported(
            "CREATE SCHEMA with statements in it is not supported",
            hint="write them as statements of their own behind it",
            position=region.start + 1,
        )
    role = None if node.authrole is None else node.authrole.rolename
    name = str(node.schemaname or role)
    return CreateSchema(region.text, region.start, name, bool(node.if_not_exists), role)


def drop_schema(region: Region) -> Statement:
    node = postgres.tree(region)
    names = tuple(name.sval for name in node.objects)
    return DropSchema(region.text, region.start, names, bool(node.missing_ok), node.behavior.name == "DROP_CASCADE")


def alter_schema(region: Region) -> Statement:
    node = postgres.tree(region)
    if type(node).__name__ != "RenameStmt":
        raise FeatureNotSupported("ALTER SCHEMA … OWNER is not supported", position=region.start + 1)
    return RenameSchema(region.text, region.start, node.subname, node.newname)


def comment(region: Region) -> Statement | None:
    """None for a comment on what there is nothing to say about here: functions, types, roles."""
    ours, edits = _our_kind(region)
    node = postgres.tree(region, overlay(region.scanned, edits, region.start))
    kind = ours or _KINDS.get(node.objtype.name)
    if kind is None:
        return None
    relation, part = _object(node, kind, region)
    return Comment(region.text, region.start, kind, relation, part, node.comment)


def _our_kind(region: Region) -> tuple[CommentedKind | None, list[Edit]]:
    """Our word for a relation, and the edit that makes it TABLE."""
    cursor = Cursor(region)
    cursor.expect("comment")
    if not cursor.accept("on"):
        return None, []
    begin = cursor.position
    for words, kind in _OURS:
        if cursor.accept(*words):
            return kind, [(begin, region.source.tokens[cursor.index - 1].end, "TABLE")]
    return None, []


def _object(node: Any, kind: CommentedKind, region: Region) -> tuple[str, str]:
    """(the relation or schema, the part of it)."""
    if kind in ("schema", "database"):
        return node.object.sval, ""
    if kind in ("column", "constraint"):
        *relation, part = node.object
        return (of_strings(tuple(relation), region.start).reference if relation else ""), part.sval
    return of_strings(node.object, region.start).reference, ""
