"""The columns and the key of a definition, from the parse tree of CREATE TABLE."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from constellationdb.catalog.types import SqlType, array_of, parse_type
from constellationdb.errors import (
    ConstellationError,
    DuplicateColumn,
    FeatureNotSupported,
    InvalidDefinition,
    UndefinedColumn,
)
from constellationdb.planner.statements import ColumnDef
from constellationdb.planner.syntax.tokens import Region, word_set

_REFUSED = {
    "CONSTR_CHECK": "a CHECK constraint",
    "CONSTR_UNIQUE": "a UNIQUE constraint",
    "CONSTR_EXCLUSION": "an EXCLUDE constraint",
    "CONSTR_FOREIGN": "a REFERENCES constraint",
    "CONSTR_GENERATED": "a GENERATED column",
    "CONSTR_IDENTITY": "a GENERATED AS IDENTITY column",
}
_SERIAL = frozenset(("serial", "serial2", "serial4", "serial8", "smallserial", "bigserial"))
# What can follow DEFAULT expression in a column definition: none of these is in such an expression.
_AFTER_DEFAULT = word_set("not null primary unique check references constraint generated collate deferrable initially")


@dataclass(frozen=True, slots=True)
class Columns:
    columns: tuple[ColumnDef, ...]
    primary_key: tuple[str, ...]
    key_position: int = 0  # where the key is declared, in the client's text


def read_columns(region: Region, statement: Any, table: str) -> Columns:
    """Columns and key of a CreateStmt that was parsed from ``region``."""
    found: dict[str, ColumnDef] = {}
    keys: list[tuple[tuple[str, ...], int]] = []
    for element in statement.tableElts or ():
        kind = type(element).__name__
        if kind == "ColumnDef":
            column = _column(region, element)
            if column.name in found:
                raise _error(DuplicateColumn, f'column "{column.name}" specified more than once', column.position)
            found[column.name] = column
        for constraint in _constraints(element):
            if constraint.contype.name == "CONSTR_PRIMARY":
                names = tuple(key.sval for key in constraint.keys or ()) or (element.colname,)
                keys.append((names, region.start + constraint.location))
        if kind == "TableLikeClause":
            raise _error(FeatureNotSupported, "LIKE in CREATE TABLE is not supported", region.start)
    key, position = _one_key(keys, table)
    _check_key(key, found, position)
    columns = tuple(replace(c, not_null=True) if c.name in key else c for c in found.values())
    return Columns(columns, key, position)


def _constraints(element: Any) -> Iterable[Any]:
    if type(element).__name__ == "Constraint":
        return (element,)
    return getattr(element, "constraints", None) or ()


def _one_key(keys: list[tuple[tuple[str, ...], int]], table: str) -> tuple[tuple[str, ...], int]:
    if len(keys) > 1:
        raise _error(InvalidDefinition, f'multiple primary keys for table "{table}" are not allowed', keys[1][1])
    return keys[0] if keys else ((), 0)


def _check_key(key: tuple[str, ...], found: dict[str, ColumnDef], position: int) -> None:
    for i, name in enumerate(key):
        if name not in found:
            raise _error(UndefinedColumn, f'column "{name}" named in key does not exist', position)
        if name in key[:i]:
            raise _error(DuplicateColumn, f'column "{name}" appears twice in primary key constraint', position)


def refuse_constraints(region: Region, statement: Any) -> None:
    """0A000 for what a table here does not enforce: better than to accept it and let it be broken."""
    for element in statement.tableElts or ():
        for constraint in _constraints(element):
            what = _REFUSED.get(constraint.contype.name)
            if what is not None:
                raise _error(FeatureNotSupported, f"{what} is not supported", region.start + constraint.location)


def _column(region: Region, element: Any) -> ColumnDef:
    position = region.start + element.location
    kinds = [constraint.contype.name for constraint in _constraints(element)]
    _check_collation(region, element)
    return ColumnDef(
        name=element.colname,
        type=read_type(element.typeName, region.start),
        not_null="CONSTR_NOTNULL" in kinds,
        default=_default_text(region, position) if "CONSTR_DEFAULT" in kinds else None,
        position=position,
    )


def _check_collation(region: Region, element: Any) -> None:
    if element.collClause is None:
        return
    name = element.collClause.collname[-1].sval
    if name not in ("C", "POSIX", "default"):
        raise _error(
            FeatureNotSupported, f'collation "{name}" is not supported', region.start + element.collClause.location
        )


def read_type(node: Any, base: int) -> SqlType:
    if node is None:
        raise FeatureNotSupported("a column without a type is not supported", position=base + 1)
    position = base + node.location
    name = node.names[-1].sval
    if name in _SERIAL:
        raise FeatureNotSupported(
            f'type "{name}" is not supported',
            hint="declare an integer type and supply the values",
            position=position + 1,
        )
    if name == "bpchar" and node.typmods:
        raise FeatureNotSupported(
            "character(n) is not supported", hint="declare text or varchar(n)", position=position + 1
        )
    modifiers = tuple(value for value in map(_integer, node.typmods or ()) if value is not None)
    found = parse_type(name, modifiers, position + 1)
    return array_of(found) if node.arrayBounds else found


def _integer(node: Any) -> int | None:
    value = getattr(getattr(node, "val", None), "ival", None)
    return int(value) if value is not None else None


def _default_text(region: Region, position: int) -> str:
    """The text between DEFAULT and the next constraint, or the end of the column's definition."""
    tokens = region.source.tokens
    index = next(i for i in range(region.lo, region.hi) if tokens[i].start == position)
    while tokens[index].word != "default":
        index = _after(region, index)
    lo = index + 1
    index = _after(region, lo)
    while index < region.hi and tokens[index].word not in (",", ")") and tokens[index].word not in _AFTER_DEFAULT:
        index = _after(region, index)
    return region.slice(lo, index)


def _after(region: Region, index: int) -> int:
    """The index behind this token or, if it opens a bracket, behind that."""
    if region.source.tokens[index].word in ("(", "["):
        return region.source.matching(index, region.hi) + 1
    return index + 1


def _error(kind: type[ConstellationError], message: str, position: int) -> ConstellationError:
    return kind(message, position=position + 1)
