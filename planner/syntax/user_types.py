"""CREATE TYPE, DROP TYPE and ALTER TYPE."""

from __future__ import annotations

from typing import Any

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.statements import AlterType, ColumnDef, CreateType, DropType, Statement
from constellationdb.planner.syntax import postgres
from constellationdb.planner.syntax.columns import check_collation, read_type
from constellationdb.planner.syntax.names import of_strings
from constellationdb.planner.syntax.tokens import Region


def create_type(region: Region) -> Statement:
    node = postgres.tree(region)
    match type(node).__name__:
        case "CompositeTypeStmt":
            parts = [part for part in (node.typevar.schemaname, node.typevar.relname) if part]
            fields = tuple(_field(region, element) for element in node.coldeflist or ())
            return CreateType(region.text, region.start, _checked(parts, region), fields)
        case "CreateEnumStmt":
            labels = tuple(value.sval for value in node.vals or ())
            return CreateType(region.text, region.start, _name(node.typeName, region), labels=labels)
        case _:
            raise FeatureNotSupported(
                "a type that is neither composite nor an enum is not supported",
                hint="write CREATE TYPE name AS (field type, …) or AS ENUM (…)",
                position=region.start + 1,
            )


def _field(region: Region, element: Any) -> ColumnDef:
    check_collation(region, element)
    return ColumnDef(
        element.colname,
        read_type(element.typeName, region.start, users=True),
        position=region.start + element.location,
        type_position=region.start + element.typeName.location,
    )


def _name(parts: Any, region: Region) -> str:
    return _checked(of_strings(parts, region.start).parts, region)


def _checked(parts: Any, region: Region) -> str:
    if len(parts) > 1 and parts[-2] != "public":
        raise FeatureNotSupported("a type in another schema than public is not supported", position=region.start + 1)
    return str(parts[-1])


def drop_type(region: Region) -> Statement:
    node = postgres.tree(region)
    names = tuple(_name(kind.names, region) for kind in node.objects)
    return DropType(region.text, region.start, names, bool(node.missing_ok), node.behavior.name == "DROP_CASCADE")


def alter_type(region: Region) -> Statement | None:
    node = postgres.tree(region)
    match type(node).__name__:
        case "RenameStmt" if node.renameType.name == "OBJECT_TYPE":
            return AlterType(region.text, region.start, _name(node.object, region), rename=node.newname)
        case "AlterEnumStmt" if not node.oldVal:
            return AlterType(
                region.text,
                region.start,
                _name(node.typeName, region),
                label=node.newVal,
                beside=node.newValNeighbor or "",
                before=bool(node.newValNeighbor) and not node.newValIsAfter,
                if_not_exists=bool(node.skipIfNewValExists),
            )
        case "AlterTableStmt" if [command.subtype.name for command in node.cmds] == ["AT_AddColumn"]:
            parts = [part for part in (node.relation.schemaname, node.relation.relname) if part]
            return AlterType(region.text, region.start, _checked(parts, region), add=_field(region, node.cmds[0].def_))
        case _:
            raise FeatureNotSupported(
                "this form of ALTER TYPE is not supported",
                hint="RENAME TO, ADD ATTRIBUTE and ADD VALUE are, of a type that nothing uses",
                position=region.start + 1,
            )
