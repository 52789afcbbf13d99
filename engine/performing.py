"""One statement of a session: who performs it, and what it will answer with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from constellationdb.catalog import types
from constellationdb.catalog.model import Relation
from constellationdb.engine import (
    answers,
    changes,
    changing_with,
    cursor_statements,
    prepared_statements,
    selects,
    variables,
)
from constellationdb.engine.defining import define
from constellationdb.engine.pg_catalog.set_functions import is_system
from constellationdb.engine.result import Notice, Result, ResultColumn
from constellationdb.engine.savepoints import perform_savepoint
from constellationdb.engine.sinks.statements import TITLES, show_create_sink
from constellationdb.engine.transaction_control import control, set_transaction
from constellationdb.errors import (
    ActiveTransaction,
    FeatureNotSupported,
    NoActiveTransaction,
    UndefinedColumn,
    WrongObjectType,
)
from constellationdb.planner import statements as st

if TYPE_CHECKING:
    from constellationdb.engine.session import Session


def perform(session: Session, statement: st.Statement) -> Result:
    match statement:
        case st.Select():
            return selects.select(session, statement.query)
        case st.Insert() | st.Update() | st.Delete() | st.Merge():
            return changes.change(session, statement)
        case st.ChangingWith():
            return changing_with.change(session, statement)
        case st.Truncate():
            return changes.truncate(session, statement)
        case st.Copy():
            return (
                changes.copy(session, statement)
                if statement.direction == "in"
                else selects.copy_out(session, statement)
            )
        case st.Subscribe():
            return selects.subscribe(session, statement)
        case st.Transaction():
            return control(session, statement)
        case st.SetVariable():
            return variables.set_variable(session, statement)
        case st.SetTransaction():
            return set_transaction(session, statement)
        case st.Show():
            return variables.show(session, statement)
        case st.ShowCreateSink():
            return show_create_sink(session, statement)
        case st.Discard():
            return variables.discard(session, statement)
        case st.Explain():
            return selects.explain(session, statement)
        case st.Flush():
            session.flush()
            return Result("FLUSH")
        case st.Wait():
            session.wait()
            return Result("WAIT")
        case st.Checkpoint():
            return _checkpoint(session)
        case st.NamedSavepoint():
            return perform_savepoint(session, statement)
        case st.Accepted():
            return _accept(session, statement)
        case _:
            return _perform_named(session, statement)


def _perform_named(session: Session, statement: st.Statement) -> Result:
    """What is about cursors and prepared statements; else a definition."""
    match statement:
        case st.DeclareCursor():
            return cursor_statements.declare(session, statement)
        case st.Fetch():
            return cursor_statements.fetch(session, statement)
        case st.CloseCursor():
            return cursor_statements.close(session, statement)
        case st.Prepare():
            return prepared_statements.prepare(session, statement)
        case st.ExecutePrepared():
            return prepared_statements.execute(session, statement)
        case st.Deallocate():
            return prepared_statements.deallocate(session, statement)
        case _:
            return define(session, statement)


def _accept(session: Session, statement: st.Accepted) -> Result:
    """Nothing to do, but what would be wrong in Postgres is wrong here."""
    if statement.block is False and session.transaction is not None:
        raise ActiveTransaction(f"{statement.tag} cannot run inside a transaction block")
    if statement.block is True and session.transaction is None:
        raise NoActiveTransaction(f"{statement.tag} can only be used in transaction blocks")
    for name in statement.relations:
        if not is_system(session.names.find(name)):
            relation = session.names.relation(name)
            _check_columns(statement.columns, relation.schema.names)
            if statement.tag == "REFRESH MATERIALIZED VIEW":
                _check_refreshed(relation)
    said = statement.notice.split("\n") if statement.notice else []
    return Result(statement.tag, notices=[Notice(line, sqlstate=statement.sqlstate) for line in said])


def _check_refreshed(relation: Relation) -> None:
    name = relation.shown
    if relation.kind == "view":
        raise WrongObjectType(f'"{name}" is not a table or materialized view')
    if relation.kind != "materialized view":
        raise FeatureNotSupported(f'"{name}" is not a materialized view')


def _check_columns(named: tuple[str, ...], there: list[str]) -> None:
    for name in named:
        if name not in there:
            raise UndefinedColumn(f'column "{name}" does not exist')


def _checkpoint(session: Session) -> Result:
    taken = session.engine.durability.checkpoint_now()
    note = "no checkpoint was taken: the views have too much to do, and the next one is tried in some seconds"
    return Result("CHECKPOINT", notices=[] if taken else [Notice(note)])


def describe(session: Session, statement: st.Statement) -> tuple[ResultColumn, ...] | None:
    """What a statement will answer with, without executing it."""
    match statement:
        case st.Select():
            return selects.describe(session, statement.query)
        case st.Insert() | st.Update() | st.Delete() | st.Merge():
            return changes.describe(session, statement)
        case st.ChangingWith():
            return changing_with.describe(session, statement)
        case st.Subscribe():
            return selects.describe_subscribe(session, statement)
        case st.Show(name=name):
            title = session.settings.title(name)
            return answers.SETTINGS if name == "all" else (ResultColumn(title, types.TEXT),)
        case st.ShowCreateSink():
            return tuple(ResultColumn(title, types.TEXT) for title in TITLES)
        case st.Fetch(moves=False):
            return session.portals.get(statement.cursor).columns
        case st.ExecutePrepared():
            return session.statements.get(statement.name).columns
        case st.Explain():
            return answers.EXPLAIN
        case _:
            return None
