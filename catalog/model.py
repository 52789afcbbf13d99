"""Definitions of relations and functions, and the commands that change the catalog."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec
import pyarrow as pa

from constellationdb.catalog.types import SqlType, composite, enum, of_description, quoted

RelationKind: TypeAlias = Literal[
    "table", "source", "lookup table", "view", "materialized view", "side output", "sequence", "sink", "subscription"
]

FunctionKind: TypeAlias = Literal["scalar", "aggregate", "table"]
Volatility: TypeAlias = Literal["immutable", "stable", "volatile"]

# What the names of temporary schemas begin with; the rest is their session's number.
TEMPORARY = "pg_temp_"
PUBLIC = 2200  # the oid of schema public
TEMPORARY_SCHEMAS = 1 << 20  # the oid of pg_temp_<n> is n more
UPCOMING = 1  # no schema: where new versions of views stand until they take the old ones' place
OIDS_OF_A_RELATION = 1 << 28  # what comes with a relation has its oid plus a multiple of this


class ColumnDefinition(msgspec.Struct, frozen=True):
    """One column as declared; ``default`` and ``generated`` are the expressions' texts.

    ``sequence``: the one that its default takes the next value of. ``identity``: "a" for ALWAYS, "d" for BY DEFAULT.
    """

    name: str
    type_name: str
    not_null: bool = False
    default: str | None = None
    sequence: str = ""
    identity: Literal["", "a", "d"] = ""
    generated: str | None = None


class Check(msgspec.Struct, frozen=True):
    """A CHECK constraint; ``columns`` are those it names, ``oid`` is given when it comes into the catalog."""

    name: str
    expression: str
    columns: tuple[str, ...] = ()
    oid: int = 0


class Unique(msgspec.Struct, frozen=True):
    """Columns in which no two rows without NULLs agree: a UNIQUE constraint, or a unique index alone.

    ``oid`` is the index's; the constraint's follows it.
    """

    name: str
    columns: tuple[str, ...]
    is_constraint: bool = True
    oid: int = 0


class Index(msgspec.Struct, frozen=True):
    """Columns that rows are looked up by: CREATE INDEX."""

    name: str
    columns: tuple[str, ...]
    oid: int = 0


class SequenceParameters(msgspec.Struct, frozen=True):
    """``column``: the one of the owning table that its values go to."""

    type_name: str = "bigint"
    start: int = 1
    increment: int = 1
    minimum: int = 1
    maximum: int = 2**63 - 1
    cache: int = 1
    cycle: bool = False
    column: str = ""


class Watermark(msgspec.Struct, frozen=True):
    column: str
    delay_us: int


class Relation(msgspec.Struct, frozen=True):
    """Everything known of a relation.

    ``name``: what everything but SQL calls it, for ever. SQL finds it in the schema whose oid is ``namespace``, by
    its ``label``; without one that is the name, too.

    ``schema_ipc``: its Arrow schema, serialised. ``plan``: a materialized view's lowered plan, encoded.
    ``depends_on``: relations it reads; ``owner``: the view that a side output (errors, late rows) belongs to, or that
    this is the next version of, or the table that a sequence belongs to, or the view that a sink has for itself.
    """

    name: str
    kind: RelationKind
    schema_ipc: bytes
    columns: tuple[ColumnDefinition, ...] = ()
    primary_key: tuple[str, ...] = ()
    options: dict[str, str] = {}
    watermark: Watermark | None = None
    sql: str = ""
    plan: bytes = b""
    query: bytes = b""  # a view's Query, encoded by the engine
    depends_on: tuple[str, ...] = ()
    owner: str | None = None
    append_only: bool = False
    oid: int = 0
    zone: str = "UTC"  # the time zone that a table's defaults are computed in, for ever
    key_name: str = ""  # of the primary key, where it is not <table>_pkey
    checks: tuple[Check, ...] = ()
    uniques: tuple[Unique, ...] = ()
    indexes: tuple[Index, ...] = ()
    sequence: SequenceParameters | None = None
    namespace: int = PUBLIC
    label: str = ""
    functions: tuple[int, ...] = ()  # the oids of users' functions that it calls
    types: tuple[int, ...] = ()  # the oids of users' types that its query names

    @property
    def shown(self) -> str:
        """What statements and messages call it."""
        return self.label or self.name

    @property
    def is_upcoming(self) -> bool:
        """Whether it is the next version of a view, or belongs to one."""
        return self.namespace == UPCOMING

    @property
    def is_temporary(self) -> bool:
        return self.namespace > TEMPORARY_SCHEMAS

    @property
    def schema(self) -> pa.Schema:
        return pa.ipc.read_schema(pa.py_buffer(self.schema_ipc))

    @property
    def primary_key_name(self) -> str:
        return self.key_name or f"{self.shown}_pkey"

    @property
    def constraint_oids(self) -> tuple[int, ...]:
        """Of what was given oids of its own: a unique constraint has two, for its index and for itself."""
        uniques = (oid for unique in self.uniques for oid in (unique.oid, unique.oid + 1))
        return (*(check.oid for check in self.checks), *uniques, *(index.oid for index in self.indexes))

    def column(self, name: str) -> ColumnDefinition | None:
        return next((column for column in self.columns if column.name == name), None)


class Parameter(msgspec.Struct, frozen=True):
    """What a function takes, by the type's name in messages; ``default`` is the expression's text."""

    name: str
    type_name: str
    default: str | None = None


class Function(msgspec.Struct, frozen=True):
    """A user's function. All of them are in schema public.

    ``returns``: the type of its value, or of each of its ``columns`` when it gives rows (``rows``).
    ``body``: of one in SQL, its Query, encoded by the engine. ``internal``: what plans call one in Python, unlike any
    other in the world. ``source``: the body as it was written; "" where a program has registered the function.
    ``tables``: the relations that its body reads; ``functions``: the oids of those that it calls.
    ``retracts``: whether an aggregate in Python can take rows back.
    """

    name: str
    parameters: tuple[Parameter, ...]
    returns: str
    language: Literal["sql", "python"]
    kind: FunctionKind = "scalar"
    columns: tuple[Parameter, ...] = ()
    volatility: Volatility = "volatile"
    strict: bool = False
    source: str = ""
    body: bytes = b""
    internal: str = ""
    tables: tuple[str, ...] = ()
    functions: tuple[int, ...] = ()
    sql: str = ""
    oid: int = 0
    retracts: bool = False

    @property
    def types(self) -> tuple[str, ...]:
        return tuple(parameter.type_name for parameter in self.parameters)

    @property
    def shown(self) -> str:
        """As messages name it."""
        return f"{self.name}({','.join(self.types)})"

    @property
    def needed(self) -> int:
        """How many arguments have no default."""
        return sum(parameter.default is None for parameter in self.parameters)


class UserType(msgspec.Struct, frozen=True):
    """A type that a user has declared: of rows with ``fields``, or an enum of ``labels``. All are in schema public.

    ``fields``: names, and what ``types.describe`` says of their types.
    """

    name: str
    fields: tuple[tuple[str, str], ...] = ()
    labels: tuple[str, ...] = ()
    oid: int = 0

    @property
    def sql_type(self) -> SqlType:
        shown = quoted(self.name)
        if self.labels:
            return enum(shown, self.oid, self.labels)
        return composite(shown, self.oid, tuple((name, of_description(kind)) for name, kind in self.fields))


class Create(msgspec.Struct, frozen=True, tag="create"):
    """Add relations, all or none: a view comes with its side outputs."""

    relations: tuple[Relation, ...]


class Drop(msgspec.Struct, frozen=True, tag="drop"):
    """Remove relations, all or none; the caller lists dependants and side outputs too."""

    names: tuple[str, ...]


class Replace(msgspec.Struct, frozen=True, tag="replace"):
    """Another definition for a plain view: those that read it see the new one."""

    view: Relation


class Supersede(msgspec.Struct, frozen=True, tag="supersede"):
    """A view's next version takes its place: its name, its oid, and those who read it.

    ``over``: the views over it whose definitions change with its columns. ``sources``: where each of its columns was
    before, -1 for one that is new; empty where all are what they were.
    """

    view: str
    by: str
    over: tuple[Relation, ...] = ()
    sources: tuple[int, ...] = ()


class Alter(msgspec.Struct, frozen=True, tag="alter"):
    """Other definitions for relations that stay what they are.

    ``sources``: for a relation whose columns change, where each of its new columns was before, -1 for one that is new.
    ``fills``: one row of what the new ones hold. ``restarts``: sequence → the value that comes next.
    """

    relations: tuple[Relation, ...]
    sources: dict[str, tuple[int, ...]] = {}
    restarts: dict[str, int] = {}
    fills: dict[str, bytes] = {}


class CreateSchema(msgspec.Struct, frozen=True, tag="create schema"):
    name: str


class DropSchema(msgspec.Struct, frozen=True, tag="drop schema"):
    """Remove schemas that have nothing in them any more."""

    names: tuple[str, ...]


class RenameSchema(msgspec.Struct, frozen=True, tag="rename schema"):
    """Its relations are where they were: they know its oid."""

    name: str
    to: str


class CreateFunction(msgspec.Struct, frozen=True, tag="create function"):
    """Add a function, or put it in the place of the one with its name and types, whose oid it keeps."""

    function: Function


class DropFunctions(msgspec.Struct, frozen=True, tag="drop functions"):
    """Remove functions that nothing depends on any more."""

    oids: tuple[int, ...]


class CreateType(msgspec.Struct, frozen=True, tag="create type"):
    made: UserType


class AlterType(msgspec.Struct, frozen=True, tag="alter type"):
    """Another definition for the type with this oid, which nothing uses."""

    made: UserType


class DropTypes(msgspec.Struct, frozen=True, tag="drop types"):
    """Remove types that nothing uses any more."""

    oids: tuple[int, ...]


class Comment(msgspec.Struct, frozen=True, tag="comment"):
    """``column`` "": on the object itself. ``text`` None takes the comment away."""

    oid: int
    column: str
    text: str | None


Command: TypeAlias = (
    Create
    | Drop
    | Replace
    | Supersede
    | Alter
    | CreateSchema
    | DropSchema
    | RenameSchema
    | CreateFunction
    | DropFunctions
    | CreateType
    | AlterType
    | DropTypes
    | Comment
)


def make_relation(name: str, kind: RelationKind, schema: pa.Schema, **rest: object) -> Relation:
    return Relation(name=name, kind=kind, schema_ipc=bytes(schema.serialize()), **rest)  # type: ignore[arg-type]
