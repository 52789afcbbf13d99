"""CREATE and DROP for a session: at once, or into its transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from constellationdb.catalog.model import Command, Create, Drop
from constellationdb.engine import definitions, selects
from constellationdb.engine.overlay import TableOverlay
from constellationdb.engine.result import Notice, Result
from constellationdb.engine.sources import SourceState
from constellationdb.errors import (
    FeatureNotSupported,
    InternalError,
    InvalidDefinition,
    ReadOnlyTransaction,
    UndefinedRelation,
)
from constellationdb.planner import statements as st

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

_Created = st.CreateTable | st.CreateSource | st.CreateLookupTable | st.CreateView | st.CreateTableAs


def define(session: Session, statement: st.Statement) -> Result:
    if session.read_only:
        raise ReadOnlyTransaction("cannot execute a definition in a read-only transaction")
    match statement:
        case st.CreateTable():
            return _create(session, statement, "CREATE TABLE", lambda: definitions.table(statement))
        case st.CreateSource():
            clock = session.engine.clock
            return _create(session, statement, "CREATE SOURCE", lambda: definitions.source(clock, statement))
        case st.CreateLookupTable():
            return _create(session, statement, "CREATE LOOKUP TABLE", lambda: definitions.lookup_table(statement))
        case st.CreateView():
            tag = "CREATE MATERIALIZED VIEW" if statement.materialized else "CREATE VIEW"
            return _create(
                session,
                statement,
                tag,
                lambda: definitions.view(session.catalog, session.relations, session.functions, statement),
            )
        case st.CreateTableAs():
            return _table_as(session, statement)
        case st.Drop():
            return _drop(session, statement)
        case _:
            raise FeatureNotSupported(f"{type(statement).__name__} is not supported", position=statement.offset + 1)


def _create(session: Session, statement: _Created, tag: str, make: Callable[[], Create]) -> Result:
    name = statement.name
    exists = name in session.catalog.relations
    if exists and statement.if_not_exists:
        return Result(tag, notices=[Notice(f'relation "{name}" already exists, skipping', sqlstate="42P07")])
    if not (exists and getattr(statement, "or_replace", False)):
        definitions.refuse_existing(session.catalog, name, statement.name_position + 1)
        command = make()
        _submit(session, command)
    elif isinstance(statement, st.CreateView) and not statement.materialized:
        command = make()
        view = command.relations[0]
        _submit(
            session, definitions.replacement(session.catalog, session.relations, session.functions, view, statement)
        )
    else:
        command = make()
        if any(name in relation.depends_on for relation in command.relations):
            raise InvalidDefinition(f'"{name}" cannot be defined over itself', position=statement.name_position + 1)
        _submit(session, Drop(session.catalog.to_drop([name], cascade=False)), command)
    return Result(tag, notices=_notices(session, command))


def _submit(session: Session, *commands: Command) -> None:
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


def _table_as(session: Session, statement: st.CreateTableAs) -> Result:
    """The table and its rows come together."""
    if statement.name in session.catalog.relations and statement.if_not_exists:
        notice = Notice(f'relation "{statement.name}" already exists, skipping', sqlstate="42P07")
        return Result("CREATE TABLE AS", notices=[notice])
    definitions.refuse_existing(session.catalog, statement.name, statement.name_position + 1)
    rows = selects.snapshot(session, statement.query)
    with session.together() as transaction:
        transaction.define(session.engine, definitions.table_of(statement.name, rows.schema, statement.text))
        table = transaction.target(session.engine, session.catalog.get(statement.name))
        assert isinstance(table, TableOverlay)
        for batch in rows.to_batches():
            transaction.write(table, None, batch)
    return Result(f"SELECT {rows.num_rows}")


def _drop(session: Session, statement: st.Drop) -> Result:
    present, notices = [], []
    for name in statement.names:
        if name in session.catalog.relations:
            present.append(name)
        elif statement.if_exists:
            notices.append(Notice(f'{statement.kind} "{name}" does not exist, skipping', sqlstate="00000"))
        else:
            raise UndefinedRelation(f'{statement.kind} "{name}" does not exist')
    if present:
        _submit(session, definitions.drop(session.catalog, statement, present))
    return Result(f"DROP {statement.kind.upper()}", notices=notices)
