"""INSERT, UPDATE, DELETE, TRUNCATE and COPY … FROM for a session: at once, or into its transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pyarrow as pa

from constellationdb.engine import answers
from constellationdb.engine.copy_in import CopyIn
from constellationdb.engine.dml import Dml, DmlPlanner, Run, column_of
from constellationdb.engine.reads import Reader, execute, relations_of
from constellationdb.engine.relations import planned_relations
from constellationdb.engine.result import Result, ResultColumn
from constellationdb.engine.sources import SourceState
from constellationdb.engine.system_tables import SYSTEM_TABLES
from constellationdb.engine.tables import TableState, delta_of
from constellationdb.engine.writes import Write, apply_write, target
from constellationdb.errors import ConstellationError, DataException, WrongObjectType
from constellationdb.planner import statements as st
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.snapshot import SnapshotPlan, SnapshotPlanner

if TYPE_CHECKING:
    from constellationdb.engine.sequencer import Epoch
    from constellationdb.engine.session import Session

Statement = st.Insert | st.Update | st.Delete


def change(session: Session, statement: Statement) -> Result:
    state = _target(session, statement)
    dml = _plan(session, statement, state)
    write, shown = _perform(session, dml, state)
    tag = f"INSERT 0 {write.count}" if dml.command == "INSERT" else f"{dml.command} {write.count}"
    if shown is None:
        return Result(tag)
    return Result(dml.command, answers.columns_of(shown.schema), iter(shown.to_batches()), lambda _n: tag)


def _target(session: Session, statement: Statement) -> TableState | SourceState:
    if statement.table in SYSTEM_TABLES:
        raise WrongObjectType(f'cannot change system table "{statement.table}"', position=statement.table_position + 1)
    if session.transaction is not None and session.transaction.read_only:
        raise _read_only(type(statement).__name__.upper())
    insert = isinstance(statement, st.Insert)
    state = target(session.engine, statement.table, statement.table_position + 1, insert=insert)
    assert isinstance(state, TableState | SourceState)
    return state


def _read_only(command: str) -> ConstellationError:
    error = DataException(f"cannot execute {command} in a read-only transaction")
    error.sqlstate = "25006"  # type: ignore[misc]
    return error


def _plan(session: Session, statement: Statement, state: TableState | SourceState) -> Dml:
    planner = DmlPlanner(session.engine.catalog, lambda text, extra: _plan_text(session, statement, text, extra))
    match statement:
        case st.Insert():
            return planner.insert(statement, state)
        case st.Update():
            assert isinstance(state, TableState)
            return planner.update(statement, state)
        case st.Delete():
            assert isinstance(state, TableState)
            return planner.delete(statement, state)


def _plan_text(session: Session, statement: Statement, text: str, extra: dict[str, PlannedRelation]) -> SnapshotPlan:
    """Plan a piece of DML; an error's place is found again by its words, for the text was put together anew."""
    relations = planned_relations(session.engine) | extra
    try:
        return SnapshotPlanner(relations).plan(st.Query(text))
    except ConstellationError as error:
        if error.position is not None:
            error.position = _place(statement, text, error.position)
        raise


def _place(statement: Statement, text: str, position: int) -> int | None:
    end = position - 1
    while end < len(text) and (text[end].isalnum() or text[end] in "_."):
        end += 1
    found = statement.text.find(text[position - 1 : end])
    return None if found < 0 else statement.offset + found + 1


def _perform(session: Session, dml: Dml, state: TableState | SourceState) -> tuple[Write, pa.Table | None]:
    transaction = session.transaction
    if transaction is None:
        return _at_once(session, dml, state)
    run = _reading(session, lambda names: _committed(session, names))
    scratch = _scratch(state, session) if isinstance(state, TableState) else state
    write = dml.evaluate(run, scratch, 1 << 60)
    if isinstance(state, SourceState):
        assert write.added is not None
        transaction.push(state.name, write.added)
    elif isinstance(scratch, TableState):
        if write.added is not None:
            scratch.check(write.added)
            scratch.check_unique(write.removed, write.added, 1 << 60)
        delta = delta_of(write.removed, write.added)
        if delta is not None:
            transaction.write(state.name, delta)
    return write, dml.shown(run, write)


def _scratch(state: TableState, session: Session) -> TableState:
    """The table as the transaction sees it, apart from the real one: keys are looked up there."""
    assert session.transaction is not None
    made = TableState(state.relation, 0)
    rows = _committed(session, {state.name})[state.name]
    for batch in rows.to_batches():
        made.contents.apply(batch, 1)
    return made


def _committed(session: Session, names: set[str]) -> dict[str, pa.Table]:
    """Relations as the session sees them now: committed rows, its transaction's changes on top."""
    transaction = session.transaction
    overlay = {} if transaction is None else transaction.changes
    if transaction is not None:
        transaction.check_reads(session.engine.catalog, names)
    return Reader(session.engine, session.cancelled).tables(names, session.last_epoch, overlay)


def _reading(session: Session, tables: Callable[[set[str]], dict[str, pa.Table]]) -> Run:
    def run(planned: SnapshotPlan, extra: dict[str, pa.Table]) -> pa.Table:
        session.check_cancelled()
        return execute(planned, tables(relations_of(planned) - set(extra)) | extra)

    return run


def _at_once(session: Session, dml: Dml, state: TableState | SourceState) -> tuple[Write, pa.Table | None]:
    """Evaluate on the sequencer's thread, against the tables as the previous statement left them."""

    def work(epoch: Epoch) -> tuple[Write, pa.Table | None]:
        run = _reading(session, lambda names: _current(session, names, epoch.number))
        write = dml.evaluate(run, state, epoch.number)
        shown = dml.shown(run, write)
        if isinstance(state, SourceState):
            assert write.added is not None
            state.push(write.added)
            epoch.change(state.name, write.added)
        else:
            apply_write(epoch, state, write)
        session.wrote(epoch.number if write.count else epoch.number - 1, {state.name})
        return write, shown

    result: tuple[Write, pa.Table | None] = session.engine.submit(work).result()
    return result


def _current(session: Session, names: set[str], epoch: int) -> dict[str, pa.Table]:
    """Tables with everything up to this point of the epoch under construction; views as they stand."""
    engine = session.engine
    found = {}
    views = set()
    for name in names:
        state = engine.states.get(name)
        if isinstance(state, TableState):
            found[name] = state.version().scan(epoch)
        else:
            views.add(name)
    if views:
        found |= Reader(engine, session.cancelled).tables(views, 0, {})
    return found


def truncate(session: Session, statement: st.Truncate) -> Result:
    for name in statement.names:
        state = target(session.engine, name, None, insert=False)
        assert isinstance(state, TableState)
        gone = Dml(name, lambda _run, t, epoch: _everything(t, epoch), None, "TRUNCATE TABLE")
        _perform(session, gone, state)
    return Result("TRUNCATE TABLE")


def _everything(state: TableState | SourceState, epoch: int) -> Write:
    rows = state.version().scan(min(epoch, 1 << 60)).combine_chunks().to_batches()
    gone = rows[0] if rows else None
    return Write(gone, None, 0 if gone is None else gone.num_rows)


def copy(session: Session, statement: st.Copy) -> Result:
    assert statement.table is not None
    state = target(session.engine, statement.table, statement.offset + 1, insert=True)
    assert isinstance(state, TableState | SourceState)
    columns = [column_of(state.schema, c, statement.table, None) for c in statement.columns]
    columns = columns or list(range(len(state.schema)))
    planner = DmlPlanner(session.engine.catalog, lambda text, extra: SnapshotPlanner(extra).plan(st.Query(text)))

    def insert(rows: pa.RecordBatch) -> None:
        dml = Dml(state.name, lambda _run, _state, _epoch: Write(None, rows, rows.num_rows, rows), None, "COPY")
        _perform(session, dml, state)

    sink = CopyIn(state.schema, columns, planner.defaults(state), dict(statement.options), insert)
    return Result("COPY", copy_in=sink, copy_options=dict(statement.options))


def describe(session: Session, statement: Statement) -> tuple[ResultColumn, ...] | None:
    if statement.returning is None:
        return None
    planned = _plan(session, statement, _target(session, statement)).returning
    assert planned is not None
    return answers.columns_of(planned.schema)
