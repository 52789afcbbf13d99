"""CREATE SINK and ALTER SINK as entries of the catalog, and what is refused of them."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import uuid4

import pyarrow as pa
from msgspec.structs import replace

from constellationdb.catalog.catalog import Catalog
from constellationdb.catalog.model import Relation, make_relation
from constellationdb.catalog.types import of_field
from constellationdb.connectors.api import SinkType
from constellationdb.connectors.sink_options import FIXED, ID, INTO, SinkSettings, of_connector
from constellationdb.engine.naming import Place
from constellationdb.engine.sinks.keys import key_of
from constellationdb.engine.sinks.targets import open_connector
from constellationdb.errors import (
    DatatypeMismatch,
    FeatureNotSupported,
    InvalidColumnReference,
    InvalidDefinition,
    InvalidParameter,
    UndefinedColumn,
    WrongObjectType,
)
from constellationdb.planner.syntax.edits import identifier

_FOLLOWED = ("table", "source", "materialized view", "side output")


class SinkDefiner:
    """Of a sink at ``place`` over ``follows``, whose ``catalog`` has it already. ``position``: of its name."""

    def __init__(self, catalog: Catalog, place: Place, follows: Relation, position: int) -> None:
        self._catalog = catalog
        self._place = place
        self._follows = follows
        self._position = position

    def define(self, options: Mapping[str, str], table: Relation | None, sql: str) -> Relation:
        """``table``: INTO it."""
        settings = SinkSettings.of(options)
        if self._follows.is_temporary:
            raise FeatureNotSupported("a sink cannot be over a temporary table", position=self._position)
        kind = settings.type or self._usual_type(table)
        return make_relation(
            self._place.name,
            "sink",
            self._follows.schema,
            primary_key=self._key(kind, settings.key, table),
            options={**options, "type": kind, ID: uuid4().hex, **({} if table is None else {INTO: table.name})},
            sql=sql,
            depends_on=(self._follows.name, *([] if table is None else [table.name])),
            namespace=self._place.namespace,
            label=self._place.other_label,
        )

    def check(self, sink: Relation, table: Relation | None) -> None:
        """Ask the target, so that what is wrong with it is said now."""
        if table is None:
            open_connector(sink).check()
        else:
            self._check_table(sink, table)

    def _usual_type(self, table: Relation | None) -> SinkType:
        if table is not None:
            return "upsert" if table.primary_key else "append"
        return "append" if self._follows.append_only else "upsert"

    # -- keys ----------------------------------------------------------------------------------

    def _key(self, kind: str, asked: tuple[str, ...] | None, table: Relation | None) -> tuple[str, ...]:
        known, shown = key_of(self._catalog, self._follows), self._follows.shown
        for name in asked or ():
            if name not in self._follows.schema.names:
                raise UndefinedColumn(f'column "{name}" named in key does not exist', position=self._position)
        if kind == "append":
            return self._no_key(asked)
        if kind == "debezium" and asked is None:
            return known or ()
        if known is None or (asked is not None and not set(known) <= set(asked)):
            raise self._no_unique(known, asked)
        key = asked or known
        if kind == "upsert" and table is not None and set(key) != set(table.primary_key):
            raise InvalidColumnReference(
                f'the rows of "{shown}" replace each other by ({", ".join(key)}),'
                f' those of table "{table.shown}" by ({", ".join(table.primary_key)})',
                position=self._position,
            )
        if kind == "upsert" and not key:
            raise InvalidColumnReference(
                f'"{shown}" has one row and no key to replace it by',
                hint="give the query a constant column, and name it in primary_key",
                position=self._position,
            )
        return table.primary_key if table is not None and kind == "upsert" else key

    def _no_key(self, asked: tuple[str, ...] | None) -> tuple[str, ...]:
        if asked is not None:
            raise InvalidParameter(
                'option "primary_key" is of no use in a sink of type append', position=self._position
            )
        if not self._follows.append_only:
            raise FeatureNotSupported(
                f'a sink of type append cannot write "{self._follows.shown}": its rows change and are taken back',
                hint="use type = 'upsert' with a key, or type = 'debezium'",
                position=self._position,
            )
        return ()

    def _no_unique(self, known: tuple[str, ...] | None, asked: tuple[str, ...] | None) -> InvalidColumnReference:
        shown = self._follows.shown
        if known is None:
            hint = "GROUP BY the columns, or use type = 'debezium'" + (
                " or 'append'" if self._follows.append_only else ""
            )
            return InvalidColumnReference(
                f'no key of "{shown}" is known: for all that can be told two of its rows may be equal',
                hint=hint,
                position=self._position,
            )
        return InvalidColumnReference(
            f'two rows of "{shown}" may have the same ({", ".join(asked or ())})',
            detail=f"Its rows are known to differ in ({', '.join(known)}).",
            hint="name all of these in primary_key, or leave it out",
            position=self._position,
        )

    # -- INTO ----------------------------------------------------------------------------------

    def _check_table(self, made: Relation, table: Relation) -> None:
        """Connectors have nothing to say here, and the columns must be the table's."""
        if table.kind != "table" or table.is_temporary:
            what = "temporary table" if table.is_temporary else table.kind
            raise WrongObjectType(f'a sink cannot write {what} "{table.shown}"', position=self._position)
        if made.options["type"] == "debezium":
            raise FeatureNotSupported("type debezium INTO a table is not supported", position=self._position)
        for name in [*of_connector(made.options), *(["connector"] if "connector" in made.options else [])]:
            raise InvalidParameter(f'a sink INTO a table has no option "{name}"', position=self._position)
        self._refuse_cycle(table)
        self._check_columns(made.schema, table)

    def _refuse_cycle(self, table: Relation) -> None:
        if table.name in fed_by(self._catalog, self._follows.name):
            raise InvalidDefinition(
                f'"{self._follows.shown}" is computed from table "{table.shown}": the sink would feed itself',
                position=self._position,
            )

    def _check_columns(self, schema: pa.Schema, table: Relation) -> None:
        columns = {field.name: field for field in table.schema}
        for field in schema:
            if field.name not in columns:
                raise UndefinedColumn(
                    f'column "{field.name}" of relation "{table.shown}" does not exist', position=self._position
                )
            ours, theirs = of_field(field).name, of_field(columns.pop(field.name)).name
            if ours != theirs:
                raise DatatypeMismatch(
                    f'column "{field.name}" is of type {theirs} but expression is of type {ours}',
                    hint="cast it in the query of the sink",
                    position=self._position,
                )
        if columns:
            raise UndefinedColumn(
                f'"{self._follows.shown}" has no column "{next(iter(columns))}" for that of table "{table.shown}"',
                hint="a sink INTO a table gives each of its columns",
                position=self._position,
            )


def followed(relation: Relation, position: int) -> Relation:
    """The relation, whose changes are there to be delivered."""
    if relation.kind not in _FOLLOWED:
        what = "a plain view" if relation.kind == "view" else f"a {relation.kind}"
        hint = f"write CREATE SINK … AS SELECT * FROM {identifier(relation.shown)}" if relation.kind == "view" else None
        raise WrongObjectType(
            f'"{relation.shown}" is {what}, which has no changes of its own', hint=hint, position=position
        )
    return relation


def fed_by(catalog: Catalog, name: str) -> set[str]:
    """What a relation is computed from, also through tables that sinks write."""
    found: set[str] = set()
    left = {name}
    while left:
        bases = set().union(*(catalog.bases_of(each) for each in left)) - found
        found |= bases
        writers = (r for r in catalog.relations.values() if r.options.get(INTO) in bases)
        left = {writer.depends_on[0] for writer in writers} - found
    return found


def altered(sink: Relation, options: Mapping[str, str]) -> Relation:
    """ALTER SINK … SET; asks the target with the new options."""
    for name in options:
        if name in FIXED:
            raise FeatureNotSupported(
                f'option "{name}" of a sink cannot be changed',
                hint="drop the sink and create it anew for an empty target",
            )
    made = replace(sink, options={**sink.options, **options})
    SinkSettings.of(made.options)
    if INTO not in made.options:
        open_connector(made).check()
    elif unknown := of_connector(made.options):
        raise InvalidParameter(f'a sink INTO a table has no option "{next(iter(unknown))}"')
    return replace(made, sql=_with_options(sink.sql, made.options))


_WITH = "\nWITH ("


def _with_options(sql: str, options: Mapping[str, str]) -> str:
    """A sink's statement, saying other options. It was written by ``text_of``."""
    return f"{sql.rpartition(_WITH)[0] or sql}{_WITH}{_shown(options)})"


def text_of(name: str, into: str | None, over: str, options: Mapping[str, str]) -> str:
    """The statement that makes the sink. ``over``: FROM …, or AS and the query."""
    head = f"CREATE SINK {name}" + ("" if into is None else f" INTO {into}")
    given = _shown(options)
    return f"{head} {over}{_WITH}{given})" if given else f"{head} {over}"


def _shown(options: Mapping[str, str]) -> str:
    pairs = [(name, value.replace("'", "''")) for name, value in options.items() if name not in (ID, INTO)]
    return ", ".join(f"{identifier(name) if name.isidentifier() else name} = '{value}'" for name, value in pairs)
