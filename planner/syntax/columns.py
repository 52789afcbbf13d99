"""The columns and the key of a definition, from the parse tree of CREATE TABLE."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from constellationdb.catalog.types import SqlType, array_of, parse_type, unresolved
from constellationdb.errors import (
    ConstellationError,
    DuplicateColumn,
    FeatureNotSupported,
    InvalidDefinition,
    SqlSyntaxError,
    UndefinedColumn,
    UndefinedObject,
)
from constellationdb.planner.statements import CheckDef, ColumnDef, UniqueDef
from constellationdb.planner.syntax.constraints import bracketed, check_column, checks, constraints_of, uniques
from constellationdb.planner.syntax.sequences import sequence_options
from constellationdb.planner.syntax.tokens import Region, word_set

_SERIAL = {
    "smallserial": "smallint", "serial2": "smallint", "serial": "integer", "serial4": "integer",
    "bigserial": "bigint", "serial8": "bigint",
}  # fmt: skip
# What can follow DEFAULT expression in a column definition: none of these is in such an expression.
_AFTER_DEFAULT = word_set("not null primary unique check references constraint generated collate deferrable initially")


@dataclass(frozen=True, slots=True)
class Columns:
    columns: tuple[ColumnDef, ...]
    primary_key: tuple[str, ...]
    key_position: int = 0  # where the key is declared, in the client's text
    key_name: str = ""
    checks: tuple[CheckDef, ...] = ()
    uniques: tuple[UniqueDef, ...] = ()


def read_columns(region: Region, statement: Any, table: str) -> Columns:
    """Columns and key of a CreateStmt that was parsed from ``region``."""
    found: dict[str, ColumnDef] = {}
    keys: list[tuple[tuple[str, ...], int, str]] = []
    for element in statement.tableElts or ():
        kind = type(element).__name__
        if kind == "ColumnDef":
            column = read_column(region, element, table)
            if column.name in found:
                raise _error(DuplicateColumn, f'column "{column.name}" specified more than once', column.position)
            found[column.name] = column
        for constraint in constraints_of(element):
            if constraint.contype.name == "CONSTR_PRIMARY":
                names = tuple(key.sval for key in constraint.keys or ()) or (element.colname,)
                keys.append((names, region.start + constraint.location, constraint.conname or ""))
        if kind == "TableLikeClause":
            raise _error(FeatureNotSupported, "LIKE in CREATE TABLE is not supported", region.start)
    key, position, key_name = _one_key(keys, table)
    _check_key(key, found, position)
    columns = tuple(replace(c, not_null=True) if c.name in key else c for c in found.values())
    elements = statement.tableElts or ()
    checked = tuple(check for element in elements for check in checks(region, element))
    unique = tuple(unique for element in elements for unique in uniques(region, element))
    for constraint in unique:
        _check_key(constraint.columns, found, constraint.position, "unique")
    return Columns(columns, key, position, key_name, checked, unique)


def _one_key(keys: list[tuple[tuple[str, ...], int, str]], table: str) -> tuple[tuple[str, ...], int, str]:
    if len(keys) > 1:
        raise _error(InvalidDefinition, f'multiple primary keys for table "{table}" are not allowed', keys[1][1])
    return keys[0] if keys else ((), 0, "")


def _check_key(key: tuple[str, ...], found: dict[str, ColumnDef], position: int, kind: str = "primary key") -> None:
    for i, name in enumerate(key):
        if name not in found:
            raise _error(UndefinedColumn, f'column "{name}" named in key does not exist', position)
        if name in key[:i]:
            raise _error(DuplicateColumn, f'column "{name}" appears twice in {kind} constraint', position)


def read_column(region: Region, element: Any, table: str) -> ColumnDef:
    position = region.start + element.location
    found = {constraint.contype.name: constraint for constraint in constraints_of(element)}
    check_column(region, element, table)
    check_collation(region, element)
    type_name = element.typeName.names[-1].sval
    serial, identity = type_name in _SERIAL, found.get("CONSTR_IDENTITY")
    if serial and element.typeName.arrayBounds:
        raise _error(FeatureNotSupported, "array of serial is not implemented", position)
    if serial and "CONSTR_DEFAULT" in found:
        message = f'multiple default values specified for column "{element.colname}" of table "{table}"'
        raise SqlSyntaxError(message)
    default = _default(region, position) if "CONSTR_DEFAULT" in found else None
    generated, begin = None, 0
    if (computed := found.get("CONSTR_GENERATED")) is not None:
        generated, begin = bracketed(region, region.start + computed.location)
    return ColumnDef(
        name=element.colname,
        type=parse_type(_SERIAL[type_name]) if serial else read_type(element.typeName, region.start, users=True),
        type_position=region.start + element.typeName.location,
        not_null=serial or identity is not None or "CONSTR_NOTNULL" in found,
        default=None if default is None else default.text,
        position=position,
        serial=serial,
        identity="" if identity is None else identity.generated_when,
        generated=generated,
        generated_position=begin,
        default_position=0 if default is None else default.start,
        sequence_options={} if identity is None else sequence_options(identity.options or (), region.start),
    )


def check_collation(region: Region, element: Any) -> None:
    if element.collClause is None:
        return
    name = element.collClause.collname[-1].sval
    if name not in ("C", "POSIX", "default"):
        raise _error(
            FeatureNotSupported, f'collation "{name}" is not supported', region.start + element.collClause.location
        )


def read_type(node: Any, base: int, *, users: bool = False) -> SqlType:
    """``users``: a type that is not known here may be one that a user has declared."""
    if node is None:
        raise FeatureNotSupported("a column without a type is not supported", position=base + 1)
    position = base + node.location
    name = node.names[-1].sval
    if name == "bpchar" and node.typmods:
        raise FeatureNotSupported(
            "character(n) is not supported", hint="declare text or varchar(n)", position=position + 1
        )
    modifiers = tuple(value for value in map(_integer, node.typmods or ()) if value is not None)
    try:
        found = parse_type(name, modifiers, position + 1)
    except UndefinedObject:
        if not users:
            raise
        found = unresolved(name)
    return array_of(found) if node.arrayBounds else found


def _integer(node: Any) -> int | None:
    value = getattr(getattr(node, "val", None), "ival", None)
    return int(value) if value is not None else None


def _default(region: Region, position: int) -> Region:
    """The text between DEFAULT and the next constraint, or the end of the column's definition."""
    tokens = region.source.tokens
    index = next(i for i in range(region.lo, region.hi) if tokens[i].start == position)
    while tokens[index].word != "default":
        index = _after(region, index)
    lo = index + 1
    index = _after(region, lo)
    while index < region.hi and tokens[index].word not in (",", ")") and tokens[index].word not in _AFTER_DEFAULT:
        index = _after(region, index)
    return region.of(lo, index)


def _after(region: Region, index: int) -> int:
    """The index behind this token or, if it opens a bracket, behind that."""
    if region.source.tokens[index].word in ("(", "["):
        return region.source.matching(index, region.hi) + 1
    return index + 1


def _error(kind: type[ConstellationError], message: str, position: int) -> ConstellationError:
    return kind(message, position=position + 1)
