"""INSERT, UPDATE, DELETE, TRUNCATE and COPY … FROM for a session: at once, or into its transaction."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa

from constellationdb.catalog.model import Alter, Relation
from constellationdb.catalog.text.zones import UTC_ZONE, zone_named
from constellationdb.engine import answers
from constellationdb.engine.admission import admitted
from constellationdb.engine.column_defaults import ColumnDefaults
from constellationdb.engine.copy_in import CopyIn
from constellationdb.engine.copy_options import CopyOptions, copy_options
from constellationdb.engine.dml import Dml, DmlPlanner, Target
from constellationdb.engine.lengths import fitted
from constellationdb.engine.merging import merge
from constellationdb.engine.overlay import TableOverlay
from constellationdb.engine.pg_catalog.registered import with_names
from constellationdb.engine.pg_catalog.set_functions import is_system
from constellationdb.engine.reads import Reader, execute, relations_of
from constellationdb.engine.result import Result, ResultColumn
from constellationdb.engine.row_inserts import RowInsert
from constellationdb.engine.row_rules import stricter_rules
from constellationdb.engine.set_clauses import column_of
from constellationdb.engine.sources import SourceState
from constellationdb.engine.tables import TableRules, TableState
from constellationdb.engine.transaction import defined_anew
from constellationdb.engine.visible import epoch_of, visible
from constellationdb.engine.writes import Run, Write, apply_write, check_target
from constellationdb.errors import (
    ConstellationError,
    DuplicateColumn,
    InsufficientPrivilege,
    InvalidColumnReference,
    ReadOnlyTransaction,
    WrongObjectType,
)
from constellationdb.planner import statements as st
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.rewrite.qualified import OURS, stand_in
from constellationdb.planner.snapshot import SnapshotPlan, SnapshotPlanner

if TYPE_CHECKING:
    from constellationdb.engine.sequencer import Epoch
    from constellationdb.engine.session import Session

Statement = st.Insert | st.Update | st.Delete | st.Merge
_WORD = re.compile(r"'(?:[^']|'')*'|[\w.]+")  # a literal or a name


def change(session: Session, statement: Statement) -> Result:
    state = target_of(session, statement)
    dml = plan_change(session, statement, state)
    write, shown = _perform(session, dml, state)
    return answer(session, dml.command, write.count, shown)


def answer(session: Session, command: str, count: int, shown: pa.Table | None) -> Result:
    tag = f"INSERT 0 {count}" if command == "INSERT" else f"{command} {count}"
    if shown is None:
        return Result(tag)
    columns, batches = with_names(session, answers.columns_of(shown.schema), shown.to_batches())
    return Result(command, columns, iter(batches), lambda _n: tag)


def _target(session: Session, name: str, position: int, command: str) -> Target:
    """The relation that a statement writes, as the session sees it."""
    found = session.names.find(name)
    if found.startswith("pg_catalog."):
        short = found.removeprefix("pg_catalog.")
        raise InsufficientPrivilege(f'permission denied: "{short}" is a system catalog', position=position)
    if is_system(found):
        raise WrongObjectType(f'cannot change system table "{found}"', position=position)
    if session.read_only:
        raise ReadOnlyTransaction(f"cannot execute {command} in a read-only transaction")
    relation = session.names.relation(name, position)
    check_target(relation, position, insert=command in ("INSERT", "COPY FROM"))
    if session.transaction is not None:
        return session.transaction.target(session.engine, relation)
    state = session.engine.state(relation.name)
    assert isinstance(state, TableState | SourceState)
    return state


def target_of(session: Session, statement: Statement) -> Target:
    return _target(session, statement.table, statement.table_position + 1, type(statement).__name__.upper())


def plan_change(
    session: Session, statement: Statement, state: Target, returned: Mapping[str, PlannedRelation] | None = None
) -> Dml:
    """``returned``: what changes in the statement's WITH list return."""

    def plan(query: st.Query, extra: dict[str, PlannedRelation], clause: str) -> SnapshotPlan:
        return _plan_query(session, statement, state, query, extra, clause, returned or {})

    return _planned(session, statement, state, DmlPlanner(plan, session.sequences.next, session.zone))


def _planned(session: Session, statement: Statement, state: Target, planner: DmlPlanner) -> Dml:
    match statement:
        case st.Insert():
            with session.engine.turn.of(len(statement.rows or ())):
                return planner.insert(statement, state)
        case st.Update():
            assert isinstance(state, TableRules)
            return planner.update(statement, state)
        case st.Delete():
            assert isinstance(state, TableRules)
            return planner.delete(statement, state)
        case st.Merge():
            assert isinstance(state, TableRules)
            return merge(planner, statement, state)


def plan_of_change(
    session: Session, statement: Statement
) -> list[tuple[str, SnapshotPlan, dict[str, PlannedRelation]]]:
    """For EXPLAIN: each query the statement runs, the clause it is of, and the relations it was planned over."""
    found: list[tuple[str, SnapshotPlan, dict[str, PlannedRelation]]] = []
    state = target_of(session, statement)

    def plan(query: st.Query, extra: dict[str, PlannedRelation], clause: str) -> SnapshotPlan:
        planned = _plan_query(session, statement, state, query, extra, clause, {})
        if clause != "DEFAULT":
            found.append((clause, planned, {**session.relations, **extra}))
        return planned

    planner = DmlPlanner(plan, session.sequences.next, session.zone)
    _planned(session, statement, state, planner)
    return found


def _plan_query(
    session: Session,
    statement: Statement,
    state: Target,
    query: st.Query,
    extra: dict[str, PlannedRelation],
    clause: str,
    returned: Mapping[str, PlannedRelation],
) -> SnapshotPlan:
    """Plan a piece of DML; an error's place is found again by its words, for the text was put together anew."""
    names = ((OURS, state.name), *((name, name) for name in returned), *query.names, *statement.meant)
    relations = {**session.relations, **returned}
    for name, relation in extra.items():
        stands_for = relations.get(dict(query.names).get(stand_in(name), state.name))
        relations[name] = relation if stands_for is None else replace(relation, oid=stands_for.oid)
    try:
        query = replace(query, parameters=statement.parameters, names=names)
        return SnapshotPlanner(relations, clause, functions=session.functions).plan(query)
    except ConstellationError as error:
        if error.position is not None:
            error.position = _place(statement, query.text, error.position)
        raise


def _place(statement: Statement, text: str, position: int) -> int | None:
    word = _WORD.match(text, position - 1)
    found = -1 if word is None else statement.text.find(word[0])
    return None if found < 0 else statement.offset + found + 1


def _perform(session: Session, dml: Dml, state: Target) -> tuple[Write, pa.Table | None]:
    transaction = session.transaction
    if transaction is None:
        assert isinstance(state, TableState | SourceState)
        return _at_once(session, dml, state)
    run = reading(session)
    write = evaluated(session, dml, state, run)
    take(session, state, write)
    return write, dml.shown(run, write)


def reading(session: Session) -> Run:
    """Reads what the open transaction sees."""
    return _reading(session, lambda names: visible(session, names))


def evaluated(session: Session, dml: Dml, state: Target, run: Run) -> Write:
    """What a change in the open transaction takes away and adds, which it has not done yet."""
    return dml.evaluate(run, state, _epoch(session, state) if isinstance(state, TableOverlay) else 0)


def take(session: Session, state: Target, write: Write) -> None:
    """Let a change be done, in the open transaction."""
    transaction = session.transaction
    assert transaction is not None
    if isinstance(state, SourceState):
        assert write.added is not None
        transaction.push(state.name, write.added)
        return
    assert isinstance(state, TableOverlay)
    if write.added is not None:
        state.check(write.added)
        state.check_unique(write.removed, write.added, _epoch(session, state))
    transaction.write(state, write.removed, write.added)


def insert_rows(session: Session, insert: RowInsert, rows: pa.RecordBatch) -> None:
    """Prepared INSERTs of one row, one after the other, in the open transaction."""
    assert session.transaction is not None
    state = session.transaction.target(session.engine, insert.state.relation)
    write = Write(None, rows, rows.num_rows)
    _perform(session, Dml(insert.state.name, lambda _run, _state, _epoch: write, None, "INSERT"), state)


def _reading(session: Session, tables: Callable[[set[str]], dict[str, pa.Table]]) -> Run:
    def run(planned: SnapshotPlan, extra: dict[str, pa.Table]) -> pa.Table:
        rows = tables(relations_of(planned) - set(extra)) | extra
        with session.cancelled.interruptible():
            return execute(planned, rows)

    return run


def _at_once(session: Session, dml: Dml, state: TableState | SourceState) -> tuple[Write, pa.Table | None]:
    """Evaluate on the sequencer's thread, against the tables as the previous statement left them."""
    if dml.constant is not None:
        session.wrote(session.engine.insert_into(state, dml.constant, session.cancelled), {state.name})
        return Write(None, dml.constant, dml.constant.num_rows), None

    def work(epoch: Epoch) -> tuple[Write, pa.Table | None]:
        if session.engine.states.get(state.name) is not state:
            raise defined_anew(state.name)
        run = _reading(session, lambda names: _current(session, names, epoch.number))
        with session.sequences.within(epoch):
            write = dml.evaluate(run, state, epoch.number)
            shown = dml.shown(run, write)
        if isinstance(state, SourceState):
            assert write.added is not None
            state.push(write.added)
            epoch.change(state.name, write.added)
            changed = write.added.num_rows > 0
        else:
            changed = apply_write(epoch, state, write)
        session.wrote(epoch.number if changed else epoch.number - 1, {state.name})
        return write, shown

    with admitted(session.engine, {state: None} if isinstance(state, SourceState) else {}, session.cancelled):
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
        found |= Reader(session).tables(views, 0)
    return found


def fill(session: Session, table: Relation, columns: Sequence[str]) -> None:
    """Give the rows of a table their values in new columns, where these are not the same in all rows."""
    transaction, defaults = session.transaction, defaults_of(session, table)
    assert transaction is not None
    declared = {column.name: column for column in table.columns}
    own = [name for name in columns if declared[name].generated is not None or not defaults.is_constant(name)]
    if not own:
        return
    state = transaction.target(session.engine, table)
    assert isinstance(state, TableOverlay)
    epoch = _epoch(session, state)
    before = state.everything(epoch)
    after = before
    for name in own:
        index = table.schema.get_field_index(name)
        if declared[name].generated is None:
            after = after.set_column(index, after.schema.field(index), defaults.array(name, before.num_rows))
    after = defaults.generated(after)
    transaction.write(state, before, after)


def rows_of(session: Session, table: Relation) -> pa.RecordBatch:
    """All that a table holds, as the open transaction sees it."""
    assert session.transaction is not None
    state = session.transaction.target(session.engine, table)
    assert isinstance(state, TableOverlay)
    return state.everything(_epoch(session, state))


def rewrite(session: Session, table: Relation, before: pa.RecordBatch, after: pa.RecordBatch) -> None:
    """Other rows in the place of those that there are, in the open transaction."""
    assert session.transaction is not None
    state = session.transaction.target(session.engine, table)
    assert isinstance(state, TableOverlay)
    session.transaction.write(state, before, after)


def validate(session: Session, after: Relation, before: Relation) -> None:
    """An error when the rows that are there break what the table demands since it was altered."""
    transaction = session.transaction
    assert transaction is not None
    rules = stricter_rules(before, after, session.catalog.schema_name)
    if rules is None:
        return
    state = transaction.target(session.engine, session.catalog.get(after.name))
    assert isinstance(state, TableOverlay)
    rules.check_existing(state.everything(_epoch(session, state)))


def _epoch(session: Session, state: TableOverlay) -> int:
    """The one that the open transaction reads a table at."""
    assert session.transaction is not None
    committed = [] if state.committed is None else [state.committed.name]
    return epoch_of(session, session.transaction, committed) or 0


def truncate(session: Session, statement: st.Truncate) -> Result:
    """All of the tables or none."""
    for name in statement.names:
        relation = session.names.relation(name)
        if relation.kind != "table":
            raise WrongObjectType(f'"{relation.shown}" is not a table')
    alone = len(statement.names) == 1 and not statement.restart_identity
    with nullcontext() if alone else session.together():
        for name in statement.names:
            _empty(session, _target(session, name, statement.offset + 1, "TRUNCATE TABLE"))
            if statement.restart_identity:
                _restart_sequences(session, session.names.find(name))
    return Result("TRUNCATE TABLE")


def _restart_sequences(session: Session, table: str) -> None:
    assert session.transaction is not None
    owned = session.catalog.owned_sequences(table)
    restarts = {found.name: found.sequence.start for found in owned if found.sequence is not None}
    if restarts:
        session.transaction.define(session.engine, Alter(tuple(owned), restarts=restarts))


def empty(session: Session, name: str) -> None:
    """Take away every row of a table of the session's own, whatever the transaction may do."""
    assert session.transaction is not None
    _empty(session, session.transaction.target(session.engine, session.catalog.get(name)))


def _empty(session: Session, state: Target) -> None:
    assert isinstance(state, TableRules)
    _perform(session, Dml(state.name, _everything, None, "TRUNCATE TABLE"), state)


def _everything(run: Run, state: Target, epoch: int) -> Write:  # noqa: ARG001
    assert isinstance(state, TableRules)
    gone = state.everything(epoch)
    return Write(gone, None, gone.num_rows)


def copy(session: Session, statement: st.Copy) -> Result:
    assert statement.table is not None
    state = _target(session, statement.table, statement.offset + 1, "COPY FROM")
    options = copy_options(statement.options, "in")
    columns = _copied(state, statement, options)
    zone = zone_named(session.zone) or UTC_ZONE

    def insert(batch: pa.RecordBatch) -> None:
        write = Write(None, batch, batch.num_rows, batch)
        _perform(session, Dml(state.name, lambda _run, _state, _epoch: write, None, "COPY", batch), state)

    defaults = defaults_of(session, state.relation)
    fit = partial(fitted, relation=state.relation)
    check = partial(_check, state)
    sink = CopyIn(state.relation.shown, state.schema, columns, defaults.complete, options, fit, check, insert, zone)
    return Result("COPY", copy_in=sink)


def defaults_of(session: Session, relation: Relation) -> ColumnDefaults:
    """What a table's columns hold where nobody says it, for the statements of a session."""

    def plan(query: st.Query, extra: dict[str, PlannedRelation], clause: str) -> SnapshotPlan:
        return SnapshotPlanner(extra, clause, functions=session.functions).plan(query)

    return ColumnDefaults(relation, plan, session.sequences.next, session.zone)


def _check(state: Target, rows: pa.RecordBatch) -> None:
    if not isinstance(state, SourceState):
        state.check(rows)


def _copied(state: Target, statement: st.Copy, options: CopyOptions) -> list[int]:
    """The columns that COPY fills, in the order of its fields."""
    table, schema = state.relation.shown, state.schema
    columns = [column_of(schema, name, table, None) for name in statement.columns]
    generated = {column.name for column in state.relation.columns if column.generated is not None}
    for name in statement.columns:
        if name in generated:
            raise InvalidColumnReference(
                f'column "{name}" is a generated column', detail="Generated columns cannot be used in COPY."
            )
    for place, name in enumerate(statement.columns):
        if name in statement.columns[:place]:
            raise DuplicateColumn(f'column "{name}" specified more than once')
    columns = columns or [index for index, field in enumerate(schema) if field.name not in generated]
    for word, names in (("FORCE_NOT_NULL", options.force_not_null), ("FORCE_NULL", options.force_null)):
        for name in names if names != ("*",) else ():
            if column_of(schema, name, table, None) not in columns:
                raise InvalidColumnReference(f'{word} column "{name}" not referenced by COPY')
    return columns


def describe(session: Session, statement: Statement) -> tuple[ResultColumn, ...] | None:
    if statement.returning is None:
        return None
    planned = plan_change(session, statement, target_of(session, statement)).returning
    assert planned is not None
    return answers.columns_of(planned.schema)
