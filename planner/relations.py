"""What the planner must know of a relation, and the virtual tables a query adds.

The engine hands the planner a mapping of these; nothing else of the catalog is
needed to plan, which keeps planning a pure function of text and schemas.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import msgspec
import pyarrow as pa

from constellationdb.catalog.model import Function
from constellationdb.catalog.types import SqlType, of_arrow
from constellationdb.errors import DatatypeMismatch, UndefinedColumn
from constellationdb.planner import plan
from constellationdb.planner.statements import Query
from constellationdb.planner.window_call import Call

WINDOW_COLUMNS = ("window_start", "window_end")
# What a change row has before the columns of its relation.
CHANGE_COLUMNS = (("_epoch", pa.int64()), ("_diff", pa.int64()))
RelationKind = Literal[
    "table",
    "source",
    "lookup table",
    "view",
    "materialized view",
    "system table",
    "sequence",
    "changelog",
    "functions",
    "types",
]


@dataclass(frozen=True)
class PlannedRelation:
    """``times``/``closing``: what its watermark says about which columns, as in plan.Node."""

    name: str
    kind: RelationKind
    schema: pa.Schema
    append_only: bool = False
    times: tuple[int, ...] = ()
    closing: tuple[plan.Column, ...] = ()
    primary_key: tuple[str, ...] = ()
    query: Query | None = None  # a plain view's
    column_names: tuple[str, ...] = ()
    pushable: frozenset[str] = frozenset()  # lookup tables: predicate forms the source evaluates itself
    replicated: bool = False  # lookup tables: a copy is kept here, and read like a table
    fixed: bool = False  # … that never changes
    delay_us: int = 0  # sources: how far the watermark stays behind the greatest time
    connector: str = ""
    ttl_us: int | None = None  # lookup tables: how long an answer is good for
    max_rows: int | None = None  # … and how many are kept
    oid: int = 0  # of what has rows of its own


# Where users' functions stand among relations: no relation can have such a name.
FUNCTIONS = "\0functions"


@dataclass(frozen=True)
class PlannedFunctions(PlannedRelation):
    """Users' functions, which are as much of a query's surroundings as relations are, by name.

    ``used``: the oids of those that were called in what has been planned since ``watched``.
    """

    by_name: Mapping[str, tuple[Function, ...]] = field(default_factory=dict)
    used: dict[int, Function] = field(default_factory=dict)


def functions_among(relations: Mapping[str, PlannedRelation]) -> PlannedFunctions | None:
    found = relations.get(FUNCTIONS)
    assert found is None or isinstance(found, PlannedFunctions)
    return found


def decode_body(function: Function) -> Query:
    """The query that a function in SQL stands for."""
    return msgspec.msgpack.decode(function.body, type=Query)


def watched(
    relations: Mapping[str, PlannedRelation],
) -> tuple[Mapping[str, PlannedRelation], Mapping[int, Function]]:
    """The same relations, and which functions what is planned over them will have called, by oid."""
    functions = functions_among(relations)
    if functions is None:
        return relations, {}
    used: dict[int, Function] = {}
    return {**relations, FUNCTIONS: replace(functions, used=used)}, used


# Where users' types stand.
TYPES = "\0types"


@dataclass(frozen=True)
class PlannedTypes(PlannedRelation):
    """Users' types by name. ``used``: the oids of those that queries have named since ``types_watched``."""

    by_name: Mapping[str, SqlType] = field(default_factory=dict)
    used: set[int] = field(default_factory=set)

    def named(self, name: str) -> SqlType | None:
        found = self.by_name.get(name)
        if found is not None:
            self.used.add(found.oid)
        return found


def types_among(relations: Mapping[str, PlannedRelation]) -> PlannedTypes | None:
    found = relations.get(TYPES)
    assert found is None or isinstance(found, PlannedTypes)
    return found


def types_watched(
    relations: Mapping[str, PlannedRelation],
) -> tuple[Mapping[str, PlannedRelation], set[int]]:
    """The same relations, and which types what is planned over them will have named."""
    types = types_among(relations)
    if types is None:
        return relations, set()
    used: set[int] = set()
    return {**relations, TYPES: replace(types, used=used)}, used


@dataclass(frozen=True)
class WindowCall(Call):
    """A window call in FROM, read as the virtual table ``name``."""

    name: str
    over: PlannedRelation

    def time_index(self, schema: pa.Schema) -> int:
        """Where the time column is among the relation's; an error when it is not there or no timestamp."""
        index = self._index(schema, self.time_column)
        kind = schema.field(index).type
        if not pa.types.is_timestamp(kind):
            raise DatatypeMismatch(
                f'column "{self.time_column}" is of type {of_arrow(kind).name}, a window needs a timestamp',
                hint=f"compute one in a view: {self.time_column}::timestamp, or to_timestamp of seconds",
                position=self.position,
            )
        return index

    def partition_indexes(self, schema: pa.Schema) -> tuple[int, ...]:
        """Where the columns are that sessions are told apart by, each once."""
        return tuple(dict.fromkeys(self._index(schema, column) for column in self.partition))

    def windowed(self, schema: pa.Schema) -> pa.Schema:
        """The relation's columns and what the window adds."""
        kind = schema.field(self.time_index(schema)).type
        self.partition_indexes(schema)
        return pa.schema([*schema, *(pa.field(name, kind) for name in WINDOW_COLUMNS)])

    def _index(self, schema: pa.Schema, column: str) -> int:
        index: int = schema.get_field_index(column)
        if index < 0:
            raise UndefinedColumn(
                f'column "{column}" of relation "{self.over.name}" does not exist', position=self.position
            )
        return index
