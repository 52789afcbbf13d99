"""CREATE and DROP for a session: at once, or into its transaction."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from constellationdb.catalog.model import Command, Create, Drop
from constellationdb.engine import definitions, functions, schemas, selects, sequence_statements, user_types
from constellationdb.engine.altering import Altering, definer
from constellationdb.engine.backfills import with_rate
from constellationdb.engine.comments import comment
from constellationdb.engine.job import Job
from constellationdb.engine.naming import Place
from constellationdb.engine.overlay import TableOverlay
from constellationdb.engine.replacing import replace_view
from constellationdb.engine.result import Notice, Result
from constellationdb.engine.sinks import statements as sinks
from constellationdb.engine.sources import SourceState
from constellationdb.engine.stopped import is_stopped, refuse_stopped, state_of
from constellationdb.engine.subscription_statements import create_subscription, refuse_active
from constellationdb.engine.temporary import ON_COMMIT
from constellationdb.errors import (
    ConstellationError,
    FeatureNotSupported,
    InternalError,
    InvalidDefinition,
    ReadOnlyTransaction,
    SqlSyntaxError,
    UndefinedObject,
    UndefinedRelation,
    UndefinedSchema,
)
from constellationdb.planner import plan
from constellationdb.planner import statements as st
from constellationdb.planner.advice import advice
from constellationdb.planner.prepare import relation_names
from constellationdb.planner.references import split

if TYPE_CHECKING:
    from constellationdb.engine.engine import Engine
    from constellationdb.engine.session import Session

_Created = st.CreateTable | st.CreateSource | st.CreateLookupTable | st.CreateView | st.CreateTableAs
Places = Sequence[Place]


def define(session: Session, statement: st.Statement) -> Result:
    if session.read_only:
        raise ReadOnlyTransaction(f"cannot execute {_command(statement)} in a read-only transaction")
    statement = user_types.resolved(session.catalog, statement)
    match statement:
        case st.CreateTable() | st.CreateTableAs() if statement.temporary is not None:
            return _define_at(session, statement, _place(session, statement, temporary=True))
        case st.CreateTable() | st.CreateTableAs() | st.CreateSource() | st.CreateLookupTable():
            return _define_at(session, statement, _place(session, statement))
        case st.CreateView():
            return _define_view(session, statement)
        case st.Drop():
            return _drop(session, statement)
        case st.CreateSchema():
            return schemas.create_schema(session, statement)
        case st.DropSchema():
            return schemas.drop_schema(session, statement)
        case st.RenameSchema():
            return schemas.rename_schema(session, statement)
        case st.CreateType():
            return user_types.create_type(session, statement)
        case st.DropType():
            return user_types.drop_type(session, statement)
        case st.AlterType():
            return user_types.alter_type(session, statement)
        case st.CreateFunction():
            return functions.create_function(session, statement)
        case st.DropFunction():
            return functions.drop_function(session, statement)
        case st.Comment():
            return comment(session, statement)
        case st.AlterTable():
            return Altering(session).table(statement)
        case st.Rename():
            return Altering(session).rename(statement)
        case st.CreateIndex():
            return Altering(session).create_index(statement)
        case st.DropIndex():
            return Altering(session).drop_index(statement)
        case st.CreateSink():
            return sinks.create_sink(session, statement)
        case st.AlterSink():
            return sinks.alter_sink(session, statement)
        case st.CreateSubscription():
            return create_subscription(session, statement)
        case st.CreateSequence() | st.AlterSequence():
            return sequence_statements.perform(session, statement)
        case _:
            raise FeatureNotSupported(f"{type(statement).__name__} is not supported", position=statement.offset + 1)


def _place(session: Session, statement: _Created, *, temporary: bool = False) -> Place:
    position = statement.name_position + 1 if isinstance(statement, st.CreateTable) else None
    place = session.names.place(statement.name, position, temporary=temporary)
    session.temporary.used |= place.is_temporary
    return place


def _define_at(session: Session, statement: _Created, *places: Place) -> Result:
    statement = dataclasses.replace(statement, name=places[0].name)
    match statement:
        case st.CreateTable():
            return _create(session, statement, places, "CREATE TABLE", lambda: _table(session, statement, places[0]))
        case st.CreateSource():
            clock = session.engine.clock
            return _create(
                session, statement, places, "CREATE SOURCE", lambda: definitions.source(clock, statement, session.zone)
            )
        case st.CreateLookupTable():
            return _create(
                session, statement, places, "CREATE LOOKUP TABLE", lambda: definitions.lookup_table(statement)
            )
        case st.CreateTableAs():
            return _table_as(session, statement, places)
        case st.CreateView():
            tag = "CREATE MATERIALIZED VIEW" if statement.materialized else "CREATE VIEW"
            return _create(
                session,
                statement,
                places,
                tag,
                lambda: definitions.view(session.catalog, session.relations, session.functions, statement),
            )


def _define_view(session: Session, statement: st.CreateView) -> Result:
    """A view is where what it reads is: over a temporary table it is temporary, too."""
    relations = session.catalog.relations
    reads = (relations.get(name) for name in relation_names(statement.query))
    over_temporary = any(relation is not None and relation.is_temporary for relation in reads)
    if over_temporary and statement.materialized:
        raise FeatureNotSupported("materialized views must not use temporary tables or views")
    place = _place(session, statement, temporary=statement.temporary or over_temporary)
    emit, places = statement.query.emit, [place]
    if emit is not None and emit.late_to is not None:
        places.append(session.names.place(emit.late_to, statement.query.offset + emit.position + 1))
        emit = dataclasses.replace(emit, late_to=places[-1].name)
        statement = dataclasses.replace(statement, query=dataclasses.replace(statement.query, emit=emit))
    result = _define_at(session, statement, *places)
    if over_temporary and not statement.temporary:
        result.notices.insert(0, Notice(f'view "{place.label}" will be a temporary view'))
    return result


_COMMANDS = {
    "CreateTable": "CREATE TABLE",
    "CreateTableAs": "CREATE TABLE AS",
    "CreateSequence": "CREATE SEQUENCE",
    "AlterSequence": "ALTER SEQUENCE",
    "AlterTable": "ALTER TABLE",
    "CreateIndex": "CREATE INDEX",
    "DropIndex": "DROP INDEX",
    "Rename": "ALTER TABLE",
    "CreateSource": "CREATE SOURCE",
    "CreateLookupTable": "CREATE LOOKUP TABLE",
    "CreateSubscription": "CREATE SUBSCRIPTION",
    "CreateType": "CREATE TYPE",
    "DropType": "DROP TYPE",
    "AlterType": "ALTER TYPE",
    "CreateSink": "CREATE SINK",
    "AlterSink": "ALTER SINK",
    "CreateSchema": "CREATE SCHEMA",
    "DropSchema": "DROP SCHEMA",
    "RenameSchema": "ALTER SCHEMA",
    "CreateFunction": "CREATE FUNCTION",
    "DropFunction": "DROP FUNCTION",
    "Comment": "COMMENT",
}


def _command(statement: st.Statement) -> str:
    match statement:
        case st.CreateView():
            return "CREATE MATERIALIZED VIEW" if statement.materialized else "CREATE VIEW"
        case st.Drop():
            return f"DROP {statement.kind.upper()}"
        case _:
            return _COMMANDS.get(type(statement).__name__, type(statement).__name__)


def _create(session: Session, statement: _Created, places: Places, tag: str, make: Callable[[], Create]) -> Result:
    place = places[0]
    exists = place.existing is not None
    if exists and statement.if_not_exists:
        return Result(tag, notices=[_skipped(place)])
    if not (exists and getattr(statement, "or_replace", False)):
        definitions.refuse_existing(session.catalog, place)
        command = with_rate(definitions.placed(make(), places), session.settings)
        _submit(session, command)
    elif isinstance(statement, st.CreateView) and not statement.materialized:
        command = definitions.placed(make(), places)
        view = command.relations[0]
        _submit(
            session, definitions.replacement(session.catalog, session.relations, session.functions, view, statement)
        )
    elif isinstance(statement, st.CreateView) and place.existing is not None:
        return replace_view(session, statement, place.existing)
    else:
        command = definitions.placed(make(), places)
        if any(place.name in relation.depends_on for relation in command.relations):
            raise InvalidDefinition(
                f'"{place.label}" cannot be defined over itself', position=statement.name_position + 1
            )
        _submit(session, Drop(session.catalog.to_drop([place.name], cascade=False)), command)
    return Result(tag, notices=_notices(session, command))


def _skipped(place: Place) -> Notice:
    return Notice(f'relation "{place.label}" already exists, skipping', sqlstate="42P07")


def _submit(session: Session, *commands: Command) -> None:
    _refuse_over_stopped(session.engine, commands)
    with session.together() as transaction:
        for command in commands:
            transaction.define(session.engine, command)


def _refuse_over_stopped(engine: Engine, commands: Sequence[Command]) -> None:
    """A view over one that has failed would wait for its first answer for ever."""
    views = [r for c in commands if isinstance(c, Create) for r in c.relations if r.kind == "materialized view"]
    with engine.lock:
        states = [engine.states[name] for view in views for name in view.depends_on if name in engine.states]
        refuse_stopped(engine, states)


def _notices(session: Session, command: Create) -> list[Notice]:
    reads = {n for relation in command.relations for n in relation.depends_on}
    states = (session.engine.states.get(name) for name in sorted(reads))
    unseen = [
        Notice(f'source "{state.name}" is read from now on: rows pushed before are not seen')
        for state in states
        if isinstance(state, SourceState) and state.pushed and state.rows
    ]
    roots = (plan.decode(r.plan).root for r in command.relations if r.kind == "materialized view")
    told = (advised for root in roots for advised in advice(root, session.relations))
    return unseen + [Notice(advised.message, hint=advised.hint) for advised in told]


def wait_for(session: Session, name: str) -> None:
    """Until a materialized view has caught up with what there was when it was created."""
    engine, epoch = session.engine, session.last_epoch

    def ready() -> bool:
        job = engine.jobs.get(name)
        return job is None or is_stopped(job) or (not job.starting and job.reached() >= epoch)

    engine.wait(ready, session.cancelled)
    job = engine.jobs.get(name)
    if job is not None:
        refuse_failed(engine, job)


def refuse_failed(engine: Engine, job: Job) -> None:
    """XX000 when the job will not get to its first answer."""
    with engine.lock:
        error = state_of(job)[1]
    if error is None:
        return
    relation = engine.catalog.relations.get(job.name)
    upcoming = relation is not None and relation.is_upcoming
    what, name = ("new version", relation.owner) if relation is not None and upcoming else ("first answer", job.name)
    raise InternalError(f'the {what} of "{name}" could not be computed', detail=error) from job.failure


def _table(session: Session, statement: st.CreateTable, place: Place) -> Create:
    return _on_commit(definer(session, place.namespace).create(statement, place), statement.temporary)


def _on_commit(command: Create, action: st.OnCommit | None) -> Create:
    """The same table, with what COMMIT does with it."""
    if action in (None, "preserve"):
        return command
    made = (replace(r, options={**r.options, ON_COMMIT: action}) if r.kind == "table" else r for r in command.relations)
    return Create(tuple(made))


def _table_as(session: Session, statement: st.CreateTableAs, places: Places) -> Result:
    """The table and its rows come together."""
    if places[0].existing is not None and statement.if_not_exists:
        return Result("CREATE TABLE AS", notices=[_skipped(places[0])])
    definitions.refuse_existing(session.catalog, places[0])
    columns, compute = selects.later(session, statement.query)
    if len(statement.column_names) > len(columns):
        raise SqlSyntaxError("too many column names were specified")
    rows = compute() if statement.with_data else selects.planned_schema(session, statement.query).empty_table()
    names = [*statement.column_names, *rows.schema.names[len(statement.column_names) :]]
    rows = rows.rename_columns(names)
    with session.together() as transaction:
        made = definitions.table_of(statement.name, rows.schema, statement.text)
        command = definitions.placed(_on_commit(made, statement.temporary), places)
        transaction.define(session.engine, command)
        table = transaction.target(session.engine, session.catalog.get(command.relations[0].name))
        assert isinstance(table, TableOverlay)
        for batch in rows.to_batches():
            transaction.write(table, None, batch)
    return Result(f"SELECT {rows.num_rows}" if statement.with_data else "CREATE TABLE AS")


def _drop(session: Session, statement: st.Drop) -> Result:
    present, notices = [], []
    for said in statement.names:
        found = session.catalog.relations.get(session.names.find(said))
        if found is not None:
            present.append(found.name)
            continue
        schema, name = split(said)
        undefined = UndefinedObject if statement.kind == "subscription" else UndefinedRelation
        missing: ConstellationError = undefined(f'{statement.kind} "{name}" does not exist')
        if schema is not None and session.names.schema(schema) is None:
            missing = UndefinedSchema(f'schema "{schema}" does not exist')
        if not statement.if_exists:
            raise missing
        notices.append(Notice(f"{missing.message}, skipping"))
    if present:
        catalog, shown = session.catalog, session.names.shown
        present = definitions.to_drop(catalog, statement, present, shown)
        command = Drop(catalog.to_drop(present, cascade=statement.cascade, name_of=shown))
        freed = sequence_statements.without_defaults(catalog, command.names, shown, cascade=statement.cascade)
        dropped = catalog.cascaded(present, command.names, shown)
        refuse_active(session, command.names)
        _submit(session, *freed.commands, command)
        notices += schemas.cascade_notices([*freed.said, *dropped])
    return Result(f"DROP {statement.kind.upper()}", notices=notices)
