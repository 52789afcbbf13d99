"""Definitions of relations, and the commands that change the catalog."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec
import pyarrow as pa

RelationKind: TypeAlias = Literal["table", "source", "lookup table", "view", "materialized view", "side output"]

# What the names of temporary tables begin with; the rest of the schema's name is their session's number.
TEMPORARY = "pg_temp_"


class ColumnDefinition(msgspec.Struct, frozen=True):
    """One column as declared; ``default`` is the expression's text."""

    name: str
    type_name: str
    not_null: bool = False
    default: str | None = None


class Watermark(msgspec.Struct, frozen=True):
    column: str
    delay_us: int


class Relation(msgspec.Struct, frozen=True):
    """Everything known of a relation.

    ``schema_ipc``: its Arrow schema, serialised. ``plan``: a materialized view's lowered plan, encoded.
    ``depends_on``: relations it reads; ``owner``: the view that a side output (errors, late rows) belongs to.
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
    query: bytes = b""  # a plain view's Query, encoded by the engine
    depends_on: tuple[str, ...] = ()
    owner: str | None = None
    append_only: bool = False
    oid: int = 0
    zone: str = "UTC"  # the time zone that a table's defaults are computed in, for ever

    @property
    def schema(self) -> pa.Schema:
        return pa.ipc.read_schema(pa.py_buffer(self.schema_ipc))


class Create(msgspec.Struct, frozen=True, tag="create"):
    """Add relations, all or none: a view comes with its side outputs."""

    relations: tuple[Relation, ...]


class Drop(msgspec.Struct, frozen=True, tag="drop"):
    """Remove relations, all or none; the caller lists dependants and side outputs too."""

    names: tuple[str, ...]


class Replace(msgspec.Struct, frozen=True, tag="replace"):
    """Another definition for a plain view: those that read it see the new one."""

    view: Relation


Command: TypeAlias = Create | Drop | Replace


def make_relation(name: str, kind: RelationKind, schema: pa.Schema, **rest: object) -> Relation:
    return Relation(name=name, kind=kind, schema_ipc=bytes(schema.serialize()), **rest)  # type: ignore[arg-type]


def shown_name(name: str) -> str:
    """A relation's name as its session and messages say it."""
    return name.partition(".")[2] if name.startswith(TEMPORARY) else name
