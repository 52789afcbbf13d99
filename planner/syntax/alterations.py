"""ALTER of a relation: actions on a table's columns and constraints, and RENAME.

SOURCE is shown to Postgres as TABLE; expressions are handed on as the client's own text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from constellationdb.errors import FeatureNotSupported, SqlSyntaxError
from constellationdb.planner.statements import (
    Accepted,
    AddCheck,
    AddColumn,
    AddPrimaryKey,
    AddUnique,
    AlterAction,
    AlterTable,
    DropColumn,
    DropConstraint,
    Rename,
    SetDefault,
    SetNotNull,
    SetType,
    Statement,
)
from constellationdb.planner.syntax import postgres
from constellationdb.planner.syntax.columns import check_collation, read_column, read_type
from constellationdb.planner.syntax.constraints import (
    ENFORCED,
    checks,
    constraints_of,
    refuse_constraints,
    uniques,
)
from constellationdb.planner.syntax.cursor import Cursor
from constellationdb.planner.syntax.edits import overlay
from constellationdb.planner.syntax.names import of_range_var
from constellationdb.planner.syntax.tokens import Region

_KINDS = {
    "OBJECT_TABLE": "table",
    "OBJECT_VIEW": "view",
    "OBJECT_MATVIEW": "materialized view",
    "OBJECT_SEQUENCE": "sequence",
    "OBJECT_INDEX": "index",
}
_RENAMED = {"OBJECT_COLUMN": "column", "OBJECT_TABCONSTRAINT": "constraint"}
_NAMES = {
    "AT_AddIdentity": "ALTER COLUMN … ADD GENERATED",
    "AT_DropIdentity": "ALTER COLUMN … DROP IDENTITY",
    "AT_SetIdentity": "ALTER COLUMN … SET GENERATED",
    "AT_DropExpression": "ALTER COLUMN … DROP EXPRESSION",
}


def alter(region: Region) -> Statement | None:
    """None for an ALTER that is not of a relation."""
    shown = _as_postgres(region)
    kind = postgres.check(region, shown)
    if kind not in ("AlterTableStmt", "RenameStmt"):
        return None
    node = postgres.tree(region, shown)
    is_source = shown != region.scanned
    return _renamed(region, node, is_source) if kind == "RenameStmt" else _altered(region, node, is_source)


def _as_postgres(region: Region) -> str:
    cursor = Cursor(region)
    cursor.expect("alter")
    token = cursor.peek()
    return (
        overlay(region.scanned, [(token.start, token.end, "TABLE")], region.start)
        if cursor.at("source")
        else (region.scanned)
    )


def _renamed(region: Region, node: Any, is_source: bool) -> Statement | None:
    what = _RENAMED.get(node.renameType.name, "relation")
    kind = "table"
    if what != "constraint":
        kind = _KINDS.get((node.renameType if what == "relation" else node.relationType).name, "")
    if not kind or node.relation is None:
        return None
    name = of_range_var(node.relation, region.start)
    return Rename(
        region.text,
        region.start,
        "source" if is_source else kind,
        name.reference,
        what,  # type: ignore[arg-type]
        node.subname or "",
        node.newname,
        bool(node.missing_ok),
        name.position,
    )


def _altered(region: Region, node: Any, is_source: bool) -> Statement | None:
    kind = _KINDS.get(node.objtype.name)
    if kind is None:
        return None
    tag = f"ALTER {'SOURCE' if is_source else kind.upper()}"
    name = of_range_var(node.relation, region.start)
    if all(command.subtype.name == "AT_ChangeOwner" for command in node.cmds):
        notice = f"there are no owners; {tag} … OWNER TO has no effect"
        return Accepted(region.text, region.start, tag, notice, relations=(name.reference,))
    if kind != "table":
        raise FeatureNotSupported(f"{tag} is not supported", position=region.start + 1)
    actions = tuple(action for command in node.cmds for action in _actions(region, command, name.parts[-1]))
    return AlterTable(
        region.text,
        region.start,
        "source" if is_source else "table",
        name.reference,
        actions,
        bool(node.missing_ok),
        name.position,
    )


def _actions(region: Region, command: Any, table: str) -> Iterator[AlterAction]:
    cascade = command.behavior is not None and command.behavior.name == "DROP_CASCADE"
    match command.subtype.name:
        case "AT_AddColumn":
            yield from _add_column(region, command, table)
        case "AT_DropColumn":
            yield DropColumn(command.name, bool(command.missing_ok), cascade)
        case "AT_ColumnDefault":
            found = None if command.def_ is None else _behind(region, command, "set", "default")
            yield SetDefault(command.name, None if found is None else found.text, 0 if found is None else found.start)
        case "AT_SetNotNull" | "AT_DropNotNull":
            yield SetNotNull(command.name, command.subtype.name == "AT_SetNotNull")
        case "AT_AlterColumnType":
            yield _set_type(region, command)
        case "AT_AddConstraint":
            yield from _add_constraints(region, command.def_)
        case "AT_DropConstraint":
            yield DropConstraint(command.name, bool(command.missing_ok), cascade)
        case name:
            what = _NAMES.get(name, "this form of ALTER TABLE")
            raise FeatureNotSupported(f"{what} is not supported", position=region.start + 1)


def _add_column(region: Region, command: Any, table: str) -> Iterator[AlterAction]:
    element = command.def_
    refuse_constraints(region, (element,), ENFORCED)
    yield AddColumn(read_column(region, element, table), bool(command.missing_ok))
    yield from _add_constraints(region, element)


def _add_constraints(region: Region, element: Any) -> Iterator[AlterAction]:
    refuse_constraints(region, (element,), ENFORCED)
    for constraint in constraints_of(element):
        if constraint.skip_validation:
            raise FeatureNotSupported("NOT VALID is not supported", position=region.start + constraint.location + 1)
        if constraint.contype.name == "CONSTR_PRIMARY":
            names = tuple(key.sval for key in constraint.keys or ()) or (element.colname,)
            yield AddPrimaryKey(constraint.conname or "", names, region.start + constraint.location)
    yield from map(AddCheck, checks(region, element))
    yield from map(AddUnique, uniques(region, element))


def _set_type(region: Region, command: Any) -> SetType:
    column = command.def_
    check_collation(region, column)
    kind = read_type(column.typeName, region.start, users=True)
    if column.raw_default is None:
        return SetType(command.name, kind)
    words = ("set", "data", "type") if _says_set(region, command) else ("type",)
    inside = Cursor(_behind(region, command, *words))
    while not inside.done and not inside.at("using"):
        if inside.at("("):
            inside.group()
        else:
            inside.next()
    if inside.done:  # of the same column in another action
        return SetType(command.name, kind)
    using = inside.region.of(inside.index + 1, inside.region.hi)
    return SetType(command.name, kind, using.text, using.start)


def _says_set(region: Region, command: Any) -> bool:
    try:
        _behind(region, command, "set", "data", "type")
    except SqlSyntaxError:
        return False
    return True


def _behind(region: Region, command: Any, *words: str) -> Region:
    """The text behind the words about a column, up to the next action."""
    cursor = Cursor(region)
    while True:
        if cursor.accept("alter"):
            cursor.accept("column")
            if cursor.peek().is_identifier and cursor.identifier() == command.name:
                if cursor.accept(*words):
                    return _up_to_comma(cursor)
                continue
        if cursor.at("("):
            cursor.group()
        else:
            cursor.next()


def _up_to_comma(cursor: Cursor) -> Region:
    lo = cursor.index
    while not cursor.done and not cursor.at(","):
        if cursor.at("(") or cursor.at("["):
            cursor.index = cursor.source.matching(cursor.index, cursor.region.hi) + 1
        else:
            cursor.next()
    return cursor.region.of(lo, cursor.index)
