"""CREATE and DROP for a session: at once, or into its transaction."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from constellationdb.catalog.model import Command, Create, Drop
from constellationdb.engine import changes, definitions, selects, sequence_statements
from constellationdb.engine.altering import Altering
from constellationdb.engine.overlay import TableOverlay
from constellationdb.engine.result import Notice, Result
from constellationdb.engine.sources import SourceState
from constellationdb.engine.table_definitions import TableDefiner
from constellationdb.engine.temporary import ON_COMMIT
from constellationdb.errors import (
    DuplicateRelation,
    FeatureNotSupported,
    InternalError,
    InvalidDefinition,
    ReadOnlyTransaction,
    SqlSyntaxError,
    UndefinedRelation,
)
from constellationdb.planner import statements as st
from constellationdb.planner.prepare import relation_names

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

_Created = st.CreateTable | st.CreateSource | st.CreateLookupTable | st.CreateView | st.CreateTableAs


def define(session: Session, statement: st.Statement) -> Result:
    if session.read_only:
        raise ReadOnlyTransaction(f"cannot execute {_command(statement)} in a read-only transaction")
    match statement:
        case st.CreateTable():
            if statement.temporary is not None:
                return _temporary(session, statement, statement.temporary)
            return _create(session, statement, "CREATE TABLE", lambda: _definer(session).create(statement))
        case st.CreateSource():
            clock = session.engine.clock
            return _create(
                session, statement, "CREATE SOURCE", lambda: definitions.source(clock, statement, session.zone)
            )
        case st.CreateLookupTable():
            return _create(session, statement, "CREATE LOOKUP TABLE", lambda: definitions.lookup_table(statement))
        case st.CreateView():
            _refuse_temporary(session, statement)
            tag = "CREATE MATERIALIZED VIEW" if statement.materialized else "CREATE VIEW"
            return _create(
                session,
                statement,
                tag,
                lambda: definitions.view(session.catalog, session.relations, session.functions, statement),
            )
        case st.CreateTableAs():
            return _table_as(session, statement)
        case st.AlterTable():
            return Altering(session, _definer(session)).table(statement)
        case st.Rename():
            return Altering(session, _definer(session)).rename(statement)
        case st.CreateUniqueIndex():
            return Altering(session, _definer(session)).create_index(statement)
        case st.DropIndex():
            return Altering(session, _definer(session)).drop_index(statement)
        case st.CreateSequence() | st.AlterSequence():
            return sequence_statements.perform(session, statement)
        case st.Drop():
            return _drop(session, statement)
        case _:
            raise FeatureNotSupported(f"{type(statement).__name__} is not supported", position=statement.offset + 1)


_COMMANDS = {
    "CreateTable": "CREATE TABLE",
    "CreateTableAs": "CREATE TABLE AS",
    "CreateSequence": "CREATE SEQUENCE",
    "AlterSequence": "ALTER SEQUENCE",
    "AlterTable": "ALTER TABLE",
    "CreateUniqueIndex": "CREATE INDEX",
    "DropIndex": "DROP INDEX",
    "Rename": "ALTER TABLE",
    "CreateSource": "CREATE SOURCE",
    "CreateLookupTable": "CREATE LOOKUP TABLE",
}


def _command(statement: st.Statement) -> str:
    match statement:
        case st.CreateView():
            return "CREATE MATERIALIZED VIEW" if statement.materialized else "CREATE VIEW"
        case st.Drop():
            return f"DROP {statement.kind.upper()}"
        case _:
            return _COMMANDS.get(type(statement).__name__, type(statement).__name__)


def _create(session: Session, statement: _Created, tag: str, make: Callable[[], Create]) -> Result:
    name = statement.name
    exists = name in session.catalog.relations
    if exists and statement.if_not_exists:
        return Result(tag, notices=[Notice(f'relation "{name}" already exists, skipping', sqlstate="42P07")])
    if not (exists and getattr(statement, "or_replace", False)):
        definitions.refuse_existing(session.catalog, name, statement.name_position + 1)
        command = make()
        submit(session, command)
    elif isinstance(statement, st.CreateView) and not statement.materialized:
        command = make()
        view = command.relations[0]
        submit(session, definitions.replacement(session.catalog, session.relations, session.functions, view, statement))
    else:
        command = make()
        if any(name in relation.depends_on for relation in command.relations):
            raise InvalidDefinition(f'"{name}" cannot be defined over itself', position=statement.name_position + 1)
        submit(session, Drop(session.catalog.to_drop([name], cascade=False)), command)
    return Result(tag, notices=_notices(session, command))


def submit(session: Session, *commands: Command) -> None:
    with session.together() as transaction:
        for command in commands:
            transaction.define(session.engine, command)


def _notices(session: Session, command: Create) -> list[Notice]:
    reads = {n for relation in command.relations for n in relation.depends_on}
    states = (session.engine.states.get(name) for name in sorted(reads))
    return [
        Notice(f'source "{state.name}" is read from now on: rows pushed before are not seen')
        for state in states
        if isinstance(state, SourceState) and state.pushed and state.rows
    ]


def wait_for(session: Session, name: str) -> None:
    """Until a materialized view has caught up with what there was when it was created."""
    engine, epoch = session.engine, session.last_epoch

    def ready() -> bool:
        job = engine.jobs.get(name)
        return job is None or job.failure is not None or (not job.starting and job.reached() >= epoch)

    engine.wait(ready, session.cancelled)
    job = engine.jobs.get(name)
    if job is not None and job.failure is not None:
        raise InternalError(
            f'the first answer of "{name}" could not be computed', detail=str(job.failure)
        ) from job.failure


def _temporary(session: Session, statement: st.CreateTable, on_commit: st.OnCommit) -> Result:
    if (exists := _existing(session, statement, "CREATE TABLE")) is not None:
        return exists
    session.temporary.used = True
    made = _definer(session, session.temporary.schema).create(statement).relations
    if on_commit != "preserve":
        made = tuple(replace(r, options={**r.options, ON_COMMIT: on_commit}) if r.kind == "table" else r for r in made)
    submit(session, Create(made))
    return Result("CREATE TABLE")


def _definer(session: Session, schema: str = "") -> TableDefiner:
    return TableDefiner(
        session.catalog,
        schema,
        session.zone,
        partial(changes.defaults_of, session),
        partial(sequence_statements.resolve, session),
    )


def _own(session: Session, command: Create, on_commit: st.OnCommit | None) -> Create:
    """The same table, temporary when ``on_commit`` says so."""
    if on_commit is None:
        return command
    session.temporary.used = True
    (relation,) = command.relations
    options = relation.options if on_commit == "preserve" else {**relation.options, ON_COMMIT: on_commit}
    return Create((replace(relation, name=session.temporary.name(relation.name), options=options),))


def _existing(session: Session, statement: st.CreateTable | st.CreateTableAs, tag: str) -> Result | None:
    """The answer when there is such a table and IF NOT EXISTS was said; 42P07 when it was not."""
    name = statement.name if statement.temporary is None else session.temporary.name(statement.name)
    if name in session.catalog.relations and statement.if_not_exists:
        notice = Notice(f'relation "{statement.name}" already exists, skipping', sqlstate="42P07")
        return Result(tag, notices=[notice])
    if statement.temporary is None:
        definitions.refuse_existing(session.catalog, name, statement.name_position + 1)
    elif name in session.catalog.relations:
        raise DuplicateRelation(f'relation "{statement.name}" already exists')
    return None


def _refuse_temporary(session: Session, statement: st.CreateView) -> None:
    if session.temporary.used and session.temporary.resolves(relation_names(statement.query)):
        if statement.materialized:
            raise FeatureNotSupported("materialized views must not use temporary tables or views")
        raise FeatureNotSupported(
            "a view over a temporary table is not supported", position=statement.name_position + 1
        )


def _table_as(session: Session, statement: st.CreateTableAs) -> Result:
    """The table and its rows come together."""
    if (exists := _existing(session, statement, "CREATE TABLE AS")) is not None:
        return exists
    columns, compute = selects.later(session, statement.query)
    if len(statement.column_names) > len(columns):
        raise SqlSyntaxError("too many column names were specified")
    rows = compute() if statement.with_data else selects.planned_schema(session, statement.query).empty_table()
    names = [*statement.column_names, *rows.schema.names[len(statement.column_names) :]]
    rows = rows.rename_columns(names)
    with session.together() as transaction:
        made = definitions.table_of(statement.name, rows.schema, statement.text)
        command = _own(session, made, statement.temporary)
        transaction.define(session.engine, command)
        table = transaction.target(session.engine, session.catalog.get(command.relations[0].name))
        assert isinstance(table, TableOverlay)
        for batch in rows.to_batches():
            transaction.write(table, None, batch)
    return Result(f"SELECT {rows.num_rows}" if statement.with_data else "CREATE TABLE AS")


def _drop(session: Session, statement: st.Drop) -> Result:
    present, notices = [], []
    for said in statement.names:
        name = session.temporary.resolve(said)
        if name in session.catalog.relations:
            present.append(name)
        elif statement.if_exists:
            notices.append(Notice(f'{statement.kind} "{said}" does not exist, skipping'))
        else:
            raise UndefinedRelation(f'{statement.kind} "{said}" does not exist')
    if present:
        catalog = session.catalog
        command = definitions.drop(catalog, statement, present)
        freed = sequence_statements.without_defaults(catalog, command.names, cascade=statement.cascade)
        submit(session, *freed.commands, command)
        notices += _cascade_notices([*freed.said, *catalog.cascaded(present, command.names)])
    return Result(f"DROP {statement.kind.upper()}", notices=notices)


def _cascade_notices(dropped: list[str]) -> list[Notice]:
    lines = [f"drop cascades to {what}" for what in dropped]
    if len(lines) < 2:
        return [Notice(line) for line in lines]
    return [Notice(f"drop cascades to {len(lines)} other objects", detail="\n".join(lines))]
