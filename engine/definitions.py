"""DDL statements to catalog commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import pyarrow as pa

from constellationdb.catalog.catalog import Catalog, NameOf
from constellationdb.catalog.model import (
    ColumnDefinition,
    Create,
    Function,
    Relation,
    Replace,
    Watermark,
    make_relation,
)
from constellationdb.catalog.types import of_field
from constellationdb.clock import Clock
from constellationdb.connectors.registry import open_source
from constellationdb.connectors.relation_options import SOURCE_NAMES, check_source, check_stored
from constellationdb.connectors.strategy import LookupSettings, choose
from constellationdb.engine.lookups import check_back_end, open_back_end
from constellationdb.engine.made_columns import with_types
from constellationdb.engine.naming import Place
from constellationdb.engine.object_names import taken_names
from constellationdb.engine.pg_catalog.set_functions import is_system
from constellationdb.engine.relations import Planned, planned_view
from constellationdb.engine.side import errors_name, errors_relation, late_relation
from constellationdb.engine.table_definitions import schema_of
from constellationdb.errors import (
    DatatypeMismatch,
    DependentObjects,
    DuplicateColumn,
    DuplicateRelation,
    FeatureNotSupported,
    InvalidDefinition,
    UndefinedColumn,
    WrongObjectType,
)
from constellationdb.planner import plan
from constellationdb.planner import statements as st
from constellationdb.planner.analysis.catalog_functions import Functions
from constellationdb.planner.continuous import ContinuousPlanner
from constellationdb.planner.described import query_schema
from constellationdb.planner.prepare import relation_names
from constellationdb.planner.relations import types_watched, watched
from constellationdb.planner.syntax.edits import identifier


def _column_definitions(columns: tuple[st.ColumnDef, ...]) -> tuple[ColumnDefinition, ...]:
    return tuple(ColumnDefinition(c.name, c.type.name, c.not_null, c.default) for c in columns)


def _check_key(key: tuple[str, ...], schema: pa.Schema, position: int) -> None:
    for name in key:
        if schema.get_field_index(name) < 0:
            raise UndefinedColumn(f'column "{name}" named in key does not exist', position=position)


def table_of(name: str, rows: pa.Schema, sql: str) -> Create:
    """CREATE TABLE AS: a table that can hold these rows."""
    columns = tuple(ColumnDefinition(f.name, of_field(f).name) for f in rows)
    return Create((make_relation(name, "table", rows, columns=columns, sql=sql),))


def source(clock: Clock, statement: st.CreateSource, zone: str) -> Create:
    options = dict(statement.options)
    declared = schema_of(statement.columns) if statement.columns else None
    check_source(options)
    connector = options.get("connector")
    if connector is None:
        if declared is None:
            raise InvalidDefinition(
                f'source "{statement.name}" has neither columns nor a connector', position=statement.name_position + 1
            )
        schema = declared
    else:
        inner = {k: v for k, v in options.items() if k not in SOURCE_NAMES}
        schema = open_source(connector, declared, inner, clock).schema
    schema = with_types(schema, statement.columns)
    mark = _watermark(statement, schema)
    relation = make_relation(
        statement.name,
        "source",
        schema,
        columns=_column_definitions(statement.columns),
        options=options,
        watermark=mark,
        sql=statement.text,
        append_only=True,
        zone=zone,
    )
    return Create((errors_relation(statement.name), relation))


def _watermark(statement: st.CreateSource, schema: pa.Schema) -> Watermark | None:
    mark = statement.watermark
    if mark is None:
        return None
    index = schema.get_field_index(mark.column)
    if index < 0:
        raise UndefinedColumn(f'column "{mark.column}" of WATERMARK FOR does not exist', position=mark.position + 1)
    if not pa.types.is_timestamp(schema.field(index).type):
        raise DatatypeMismatch(
            f'WATERMARK FOR needs a timestamp, "{mark.column}" is of type {schema.field(index).type}',
            position=mark.position + 1,
        )
    return Watermark(mark.column, mark.delay_us)


def lookup_table(statement: st.CreateLookupTable) -> Create:
    """Asks the source, so that what is wrong with it or the options is said now, not at the first join."""
    schema = schema_of(statement.columns)
    for column in statement.columns:
        if column.type.is_made:
            raise FeatureNotSupported(
                f"a column of type {column.type.name} in a lookup table is not supported",
                position=column.type_position + 1,
            )
    _check_key(statement.primary_key, schema, statement.name_position + 1)
    relation = make_relation(
        statement.name,
        "lookup table",
        schema,
        columns=_column_definitions(statement.columns),
        primary_key=statement.primary_key,
        options=dict(statement.options),
        sql=statement.text,
    )
    source = open_back_end(relation)
    try:
        check_back_end(source)
        strategy = choose(LookupSettings.of(relation.options), source, relation.options["connector"])
    finally:
        source.close()
    return Create((msgspec.structs.replace(relation, options={**relation.options, "strategy": strategy}),))


def view(catalog: Catalog, relations: Planned, functions: Functions, statement: st.CreateView) -> Create:
    names = relation_names(statement.query)
    depends_on = tuple(n for n in names if n in catalog.relations)
    relations, called = watched(relations)
    relations, named = types_watched(relations)
    if not statement.materialized:
        columns = query_schema(statement.query, relations, functions).names
        _check_names(_named(tuple(columns), statement), statement)
        relation = make_relation(
            statement.name,
            "view",
            pa.schema([]),
            query=msgspec.msgpack.encode((statement.query, statement.column_names)),
            sql=statement.text,
            depends_on=tuple(dict.fromkeys([*depends_on, *_read_by(called, catalog)])),
            functions=tuple(called),
            types=tuple(sorted(named)),
        )
        return Create((relation,))
    _refuse_system(names)
    check_stored("materialized view", statement.options)
    lowered = ContinuousPlanner(relations).plan(statement.query, statement.column_names)
    _check_names(lowered.names, statement)
    late = None
    if lowered.late_to is not None:
        late = late_relation(statement.name, lowered, _window_names(catalog, lowered))
    reads = tuple(n for n in plan.relations_of(lowered.root) if n in catalog.relations)
    lookups = tuple(n.table for n in plan.walk(lowered.root) if isinstance(n, plan.LookupJoin | plan.ReplicatedLookup))
    relation = make_relation(
        statement.name,
        "materialized view",
        lowered.output,
        plan=plan.encode(lowered),
        query=msgspec.msgpack.encode((statement.query, statement.column_names)),
        sql=statement.text,
        depends_on=tuple(dict.fromkeys([*depends_on, *reads, *lookups, *_read_by(called, catalog)])),
        functions=tuple(called),
        types=tuple(sorted(named)),
        append_only=lowered.root.append_only,
        options=dict(statement.options),
    )
    sides = [errors_relation(statement.name), *([late] if late is not None else [])]
    return Create((*sides, relation))


def _read_by(called: Mapping[int, Function], catalog: Catalog) -> list[str]:
    """What the bodies of functions read."""
    return [name for function in called.values() for name in function.tables if name in catalog.relations]


def _refuse_system(names: list[str]) -> None:
    for name in names:
        if is_system(name):
            raise FeatureNotSupported(
                f'a materialized view cannot read system table "{name}"', hint="SELECT from it directly"
            )


def _named(names: tuple[str, ...], statement: st.CreateView) -> tuple[str, ...]:
    """A view's columns: those in its list, then the query's own."""
    given = statement.column_names
    if len(given) > len(names):
        raise InvalidDefinition(
            "CREATE VIEW specifies more column names than columns", position=statement.name_position + 1
        )
    return (*given, *names[len(given) :])


def _check_names(names: tuple[str, ...], statement: st.CreateView) -> None:
    for name in names:
        if names.count(name) > 1:
            raise DuplicateColumn(
                f'column "{name}" specified more than once',
                hint="give one of them another name with AS",
                position=statement.name_position + 1,
            )


def _window_names(catalog: Catalog, lowered: plan.Plan) -> list[str]:
    found = (n for n in plan.walk(lowered.root) if isinstance(n, plan.WindowAssign | plan.SessionAssign))
    window = next(found, None)
    if window is None:
        raise InvalidDefinition("LATE DATA TO needs a window in the query", hint="use TUMBLE, HOP, CUMULATE or SESSION")
    if not isinstance(window.input, plan.Scan):
        return [f.name for f in window.schema]
    relation = catalog.get(window.input.relation)
    return [*(relation.schema.field(c).name for c in window.input.columns), "window_start", "window_end"]


def replacement(
    catalog: Catalog, relations: Planned, functions: Functions, view: Relation, statement: st.CreateView
) -> Replace:
    """CREATE OR REPLACE VIEW: the old columns stay as they are, new ones may follow."""
    position = statement.name_position + 1
    if catalog.get(view.name).kind != "view":
        raise WrongObjectType(f'"{view.name}" is not a view', position=position)
    if any(view.name in catalog.bases_of(name) for name in view.depends_on):
        raise InvalidDefinition(f'"{view.name}" cannot be defined over itself', position=position)
    everything = st.Query(f"SELECT * FROM {identifier(view.name)}")
    changed = {**relations, view.name: planned_view(view)}
    before, after = (query_schema(everything, known, functions) for known in (relations, changed))
    if len(after) < len(before):
        raise InvalidDefinition("cannot drop columns from view", position=position)
    for was, becomes in zip(before, after, strict=False):
        _check_same_column(was, becomes, position)
    return Replace(view)


def _check_same_column(was: pa.Field, becomes: pa.Field, position: int) -> None:
    if was.name != becomes.name:
        raise InvalidDefinition(
            f'cannot change name of view column "{was.name}" to "{becomes.name}"', position=position
        )
    before, after = of_field(was), of_field(becomes)
    if before.oid != after.oid:
        raise InvalidDefinition(
            f'cannot change data type of view column "{was.name}" from {before.name} to {after.name}',
            position=position,
        )


def to_drop(catalog: Catalog, statement: st.Drop, present: list[str], name_of: NameOf) -> list[str]:
    """What DROP is said of, which must be of its kind: of a sink with a query of its own that is the query's view."""
    for name in present:
        relation = catalog.get(name)
        if relation.kind != statement.kind:
            raise WrongObjectType(
                f'"{relation.shown}" is not a {statement.kind}',
                hint=f"Use DROP {relation.kind.upper()} to remove a {relation.kind}.",
            )
    if statement.kind == "sink":
        return [catalog.get(name).owner or name for name in present]
    for sink in catalog.relations.values():
        if sink.kind == "sink" and sink.owner in present:
            view = catalog.get(sink.owner)
            raise DependentObjects(
                f"cannot drop {view.kind} {name_of(view)} because sink {name_of(sink)} requires it",
                hint=f"You can drop sink {name_of(sink)} instead.",
            )
    return present


def refuse_existing(catalog: Catalog, place: Place) -> None:
    """Also what the errors of a relation of this name would be called must be free."""
    taken = taken_names(catalog, place.namespace)
    if place.label in taken or errors_name(place.label) in taken:
        raise DuplicateRelation(f'relation "{place.label}" already exists')


def placed(command: Create, places: Sequence[Place]) -> Create:
    """Its relations in their schemas: errors stand beside what they are errors of, the first of ``places``.

    Those of other names know theirs.
    """
    first = places[0]
    known = {place.name: (place.namespace, place.label) for place in places}
    known[errors_name(first.name)] = first.namespace, errors_name(first.label)
    return Create(tuple(_at(r, *known[r.name]) if r.name in known else r for r in command.relations))


def _at(relation: Relation, namespace: int, label: str) -> Relation:
    return msgspec.structs.replace(relation, namespace=namespace, label="" if label == relation.name else label)
