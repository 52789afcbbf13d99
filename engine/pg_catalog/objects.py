"""Everything that has an oid in one version of the catalog.

What belongs to a relation takes its oid from the relation's, so that it stays the same as long as the relation lives:

    16400                  the relation
    16400 + 1 × 2^28       the type of its rows, and so on: see ``Part``
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cache, cached_property

import pyarrow as pa

from constellationdb.catalog import types
from constellationdb.catalog.catalog import FIRST_OID, Catalog
from constellationdb.catalog.model import (
    OIDS_OF_A_RELATION,
    PUBLIC,
    TEMPORARY,
    TEMPORARY_SCHEMAS,
    ColumnDefinition,
    Relation,
    UserType,
)
from constellationdb.catalog.postgres import rows
from constellationdb.catalog.postgres.relations import SystemIndex, system_indexes, system_relations
from constellationdb.catalog.types import SqlType
from constellationdb.engine.pg_catalog import lookup
from constellationdb.engine.system_tables import SYSTEM_TABLES

PG_CATALOG, CONSTELLATION = 11, 16000
OWNER = 10  # the role that owns everything
_FIRST_SYSTEM_TABLE = CONSTELLATION + 1
_BARE = re.compile(r"[a-z_][a-z0-9_]*")
_RELKINDS = {"table": "r", "view": "v", "materialized view": "m", "lookup table": "f", "side output": "m",
             "sequence": "S"}  # fmt: skip


class Part(IntEnum):
    """What comes with a relation, by its place in the space of oids."""

    ROW_TYPE = 1
    ARRAY_TYPE = 2
    INDEX = 3
    CONSTRAINT = 4
    RULE = 5
    DEFAULTS = 6  # the sixth and those after it: one a column

    def of(self, relation: int) -> int:
        return relation + self * OIDS_OF_A_RELATION


@dataclass(frozen=True)
class Attribute:
    name: str
    type_oid: int
    typmod: int = -1
    not_null: bool = False
    default: str | None = None
    identity: str = ""
    generated: bool = False  # ``default`` is what it is computed of
    sequence: str = ""
    type_name: str = ""  # of a type that does not ship


@dataclass(frozen=True)
class Described:
    """A relation as pg_class has it; ``relation`` is its definition, if it is a user's."""

    oid: int
    namespace: int
    schema: str
    name: str
    kind: str
    type_oid: int
    array_type_oid: int
    attributes: tuple[Attribute, ...]
    relation: Relation | None = None

    @property
    def is_system(self) -> bool:
        return self.relation is None and self.kind != "c"

    @property
    def is_temporary(self) -> bool:
        return self.namespace > TEMPORARY_SCHEMAS

    def number(self, column: str) -> int:
        """A column's attnum."""
        return next(i for i, a in enumerate(self.attributes, 1) if a.name == column)

    @property
    def key(self) -> tuple[int, ...]:
        """The attnums of a user's primary key."""
        return () if self.relation is None else tuple(self.number(name) for name in self.relation.primary_key)


@dataclass(frozen=True)
class Index:
    """``constraint`` is the oid of the one it enforces, or 0."""

    oid: int
    name: str
    of: Described
    keys: tuple[int, ...]
    is_unique: bool = True
    is_primary: bool = True
    constraint: int = 0

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        return tuple(self.of.attributes[key - 1] for key in self.keys if key)


ViewColumns = Callable[[str], pa.Schema]


class Objects:
    """``view_columns``: what a plain view's columns are; only planning its query tells."""

    def __init__(self, catalog: Catalog, view_columns: ViewColumns) -> None:
        self.catalog = catalog
        self._view_columns = view_columns
        self.tables: dict[str, pa.Table] = {}  # relations of pg_catalog already read at this version

    @cached_property
    def own(self) -> tuple[Described, ...]:
        catalog = self.catalog.relations.values()
        hidden = ("sink", "subscription")
        relations = [self.described(r) for r in catalog if not (r.is_upcoming or r.kind in hidden)]
        return (*relations, *(_composite(kind) for kind in self.catalog.types.values() if kind.fields))

    @cached_property
    def type_names(self) -> dict[int, str]:
        """Users' types and the arrays of them, by oid, as format_type() prints them."""
        kinds = [kind.sql_type for kind in self.catalog.types.values()]
        return {kind.oid: kind.name for both in kinds for kind in (both, types.array_of(both))}

    @property
    def relations(self) -> Iterator[Described]:
        yield from system_described()
        yield from self.own

    @cached_property
    def namespaces(self) -> dict[int, str]:
        """Every schema, by its oid."""
        own = {oid: name for name, oid in self.catalog.schemas.items()}
        used = sorted({r.namespace for r in self.catalog.relations.values() if r.is_temporary})
        return {**lookup.namespaces(), **own, **{oid: f"{TEMPORARY}{oid - TEMPORARY_SCHEMAS}" for oid in used}}

    def schema_name(self, oid: int) -> str:
        return self.namespaces.get(oid) or f"{TEMPORARY}{oid - TEMPORARY_SCHEMAS}"

    @cached_property
    def by_oid(self) -> dict[int, Described]:
        return {relation.oid: relation for relation in self.relations}

    @cached_property
    def by_name(self) -> dict[tuple[int, str], Described]:
        """By namespace and name."""
        return {(relation.namespace, relation.name): relation for relation in self.relations}

    @cached_property
    def indexes(self) -> dict[int, Index]:
        return {index.oid: index for index in (*system_index_list(), *indexes_of(self.own))}

    @cached_property
    def indexes_by_name(self) -> dict[tuple[int, str], Index]:
        """By the namespace of their relation, and name."""
        return {(index.of.namespace, index.name): index for index in self.indexes.values()}

    def described(self, relation: Relation) -> Described:
        oid = relation.oid
        row, array = Part.ROW_TYPE.of(oid), Part.ARRAY_TYPE.of(oid)
        namespace, name = relation.namespace, relation.shown
        schema, kind, attributes = self.schema_name(namespace), _relkind(relation), self._attributes(relation)
        if kind == "S":  # has no type of its rows
            row = array = 0
        return Described(oid, namespace, schema, name, kind, row, array, attributes, relation)

    def _attributes(self, relation: Relation) -> tuple[Attribute, ...]:
        schema = self._view_columns(relation.name) if relation.kind == "view" else relation.schema
        declared = {column.name: column for column in relation.columns}
        return tuple(self._attribute(field, declared.get(field.name), relation) for field in schema)

    def _attribute(self, field: pa.Field, declared: ColumnDefinition | None, relation: Relation) -> Attribute:
        kind = types.of_field(field) if declared is None else _declared_type(declared, field)
        in_key = field.name in relation.primary_key
        if declared is None:
            return Attribute(field.name, kind.oid, kind.typmod, in_key, type_name=type_name_of(kind))
        return Attribute(
            field.name,
            kind.oid,
            kind.typmod,
            in_key or declared.not_null,
            self._default(declared),
            declared.identity,
            declared.generated is not None,
            declared.sequence,
            type_name_of(kind),
        )

    def _default(self, declared: ColumnDefinition) -> str | None:
        """Of what Postgres keeps as a default: an identity column has none, a generated one what it is computed of."""
        if declared.identity:
            return None
        if declared.sequence:
            sequence = self.catalog.get(declared.sequence)
            schema = "" if sequence.namespace == PUBLIC else f"{_quoted(self.schema_name(sequence.namespace))}."
            return next_value(schema + _quoted(sequence.shown))
        return declared.default if declared.generated is None else declared.generated


def type_name_of(kind: SqlType) -> str:
    """What pg_type calls a type of a user's; "" of one that ships."""
    if not is_own(kind.oid):
        return ""
    return f"_{kind.element.name}" if kind.element is not None else kind.name


def _composite(kind: UserType) -> Described:
    """The relation without rows that says the fields of a type."""
    sql_type = kind.sql_type
    attributes = tuple(
        Attribute(name, inner.oid, inner.typmod, type_name=type_name_of(inner)) for name, inner in sql_type.fields
    )
    oid, array = Part.ROW_TYPE.of(kind.oid), types.array_of(sql_type).oid
    return Described(oid, PUBLIC, "public", kind.name, "c", kind.oid, array, attributes)


def next_value(sequence: str) -> str:
    """The default of a column that takes its values of a sequence."""
    return "nextval('" + sequence.replace("'", "''") + "'::regclass)"


def _quoted(name: str) -> str:
    return name if _BARE.fullmatch(name) else '"' + name.replace('"', '""') + '"'


def _relkind(relation: Relation) -> str:
    if relation.kind == "source":
        return "f" if relation.options.get("connector") else "r"
    return _RELKINDS[relation.kind]


def _declared_type(declared: ColumnDefinition, field: pa.Field) -> SqlType:
    """varchar(n) and numeric(p,s) as written: their Arrow types have no length."""
    name, _, modifiers = declared.type_name.rstrip(")").partition("(")
    if not modifiers or types.of_field(field).is_made:
        return types.of_field(field)
    return types.parse_type(name, tuple(int(number) for number in modifiers.split(",")))


def indexes_of(relations: Iterable[Described]) -> list[Index]:
    """The index of each primary key and of what else is unique."""
    return [index for relation in relations for index in _indexes(relation)]


def _indexes(of: Described) -> Iterator[Index]:
    made = of.relation
    if made is None:
        return
    if of.key:
        yield Index(Part.INDEX.of(of.oid), made.primary_key_name, of, of.key, constraint=Part.CONSTRAINT.of(of.oid))
    for unique in made.uniques:
        keys = tuple(map(of.number, unique.columns))
        constraint = unique.oid + 1 if unique.is_constraint else 0
        yield Index(unique.oid, unique.name, of, keys, is_primary=False, constraint=constraint)
    for index in made.indexes:
        keys = tuple(map(of.number, index.columns))
        yield Index(index.oid, index.name, of, keys, is_unique=False, is_primary=False)


@cache
def system_described() -> tuple[Described, ...]:
    """pg_catalog's and information_schema's own relations, and ``constellation``'s."""
    namespaces = {row["nspname"]: int(row["oid"]) for row in rows.texts("pg_namespace")}
    arrays = {int(row["oid"]): int(row["typarray"]) for row in rows.texts("pg_type")}
    found = []
    for r in system_relations().values():
        attributes = tuple(Attribute(c.name, c.type_oid, c.typmod, c.not_null) for c in r.columns)
        found.append(
            Described(
                r.oid, namespaces[r.schema], r.schema, r.name, r.kind, r.type_oid, arrays.get(r.type_oid, 0), attributes
            )
        )
    for oid, (name, schema) in enumerate(SYSTEM_TABLES.items(), _FIRST_SYSTEM_TABLE):
        kinds = [(field.name, types.of_field(field)) for field in schema]
        attributes = tuple(Attribute(column, kind.oid, kind.typmod) for column, kind in kinds)
        schema, short = name.split(".")
        row, array = Part.ROW_TYPE.of(oid), Part.ARRAY_TYPE.of(oid)
        found.append(Described(oid, CONSTELLATION, schema, short, "v", row, array, attributes))
    return tuple(found)


@cache
def system_index_list() -> tuple[Index, ...]:
    described = {relation.oid: relation for relation in system_described()}
    return tuple(_system_index(index, described[index.relation]) for index in system_indexes())


def _system_index(index: SystemIndex, of: Described) -> Index:
    return Index(index.oid, index.name, of, index.keys, index.is_unique, index.is_primary, index.constraint)


def is_own(oid: int) -> bool:
    return oid >= FIRST_OID
