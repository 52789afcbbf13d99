"""The relations of ``pg_catalog`` and ``information_schema``: oids, columns, indexes, and their Arrow schemas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property

import pyarrow as pa

from constellationdb.catalog import types
from constellationdb.catalog.postgres import rows
from constellationdb.catalog.types import SqlType, array_of, by_oid, field_of

# Types without an Arrow type of their own are shown as text, domains as what they are made of.
_ACL_ARRAY, _CARDINAL, _CHARACTERS, _IDENTIFIER, _MOMENT, _YES_NO = (
    "_aclitem", "cardinal_number", "character_data", "sql_identifier", "time_stamp", "yes_or_no",
)  # fmt: skip
_SHOWN_AS = {
    _ACL_ARRAY: array_of(types.TEXT), _CARDINAL: types.INTEGER, _CHARACTERS: types.VARCHAR, _IDENTIFIER: types.NAME,
    _MOMENT: types.TIMESTAMPTZ, _YES_NO: types.VARCHAR,
}  # fmt: skip


@dataclass(frozen=True)
class SystemColumn:
    name: str
    type_oid: int
    typmod: int
    not_null: bool
    collation: int

    @property
    def sql_type(self) -> SqlType:
        found = by_oid(self.type_oid)
        return found or _SHOWN_AS.get(_type_names()[self.type_oid], types.TEXT)


@dataclass(frozen=True)
class SystemRelation:
    """``kind`` is pg_class.relkind; ``type_oid`` the composite type of its rows."""

    oid: int
    schema: str
    name: str
    kind: str
    type_oid: int
    columns: tuple[SystemColumn, ...]

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"

    @cached_property
    def arrow_schema(self) -> pa.Schema:
        return pa.schema([field_of(column.name, column.sql_type) for column in self.columns])

    def shipped(self) -> pa.Table | None:
        """Its constant rows."""
        if self.schema != "pg_catalog" or not rows.exist(self.name):
            return None
        return rows.table(self.name, [(c.name, c.sql_type) for c in self.columns], self.arrow_schema)


@dataclass(frozen=True)
class SystemIndex:
    oid: int
    name: str
    relation: int
    is_unique: bool
    is_primary: bool
    keys: tuple[int, ...]
    classes: tuple[int, ...]
    constraint: int


@cache
def system_relations() -> Mapping[str, SystemRelation]:
    """By full name, as in ``pg_catalog.pg_class``."""
    columns: dict[int, list[SystemColumn]] = {}
    for row in rows.texts("columns"):
        column = SystemColumn(
            row["name"], int(row["type"]), int(row["typmod"]), rows.truth(row["not_null"]), int(row["collation"])
        )
        columns.setdefault(int(row["relation"]), []).append(column)
    found = [
        SystemRelation(oid, row["schema"], row["name"], row["kind"], int(row["type"]), tuple(columns.get(oid, ())))
        for row in rows.texts("relations")
        for oid in (int(row["oid"]),)
    ]
    return {relation.full_name: relation for relation in found}


@cache
def system_indexes() -> tuple[SystemIndex, ...]:
    return tuple(
        SystemIndex(
            int(row["oid"]),
            row["name"],
            int(row["relation"]),
            rows.truth(row["is_unique"]),
            rows.truth(row["is_primary"]),
            tuple(map(int, row["keys"].split())),
            tuple(map(int, row["classes"].split())),
            int(row["constraint"]),
        )
        for row in rows.texts("indexes")
    )


@cache
def _type_names() -> Mapping[int, str]:
    return {int(row["oid"]): row["typname"] for row in rows.texts("pg_type")}
