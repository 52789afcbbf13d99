"""DECLARE, FETCH, MOVE and CLOSE for a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from constellationdb.engine import answers, selects
from constellationdb.engine.cursors import StreamCursor, TableCursor
from constellationdb.engine.pg_catalog.registered import with_names
from constellationdb.engine.result import Result
from constellationdb.engine.subscription_cursor import open_subscription
from constellationdb.errors import InvalidCursorDefinition, NoActiveTransaction
from constellationdb.planner import statements as st
from constellationdb.planner.continuous import is_continuous

if TYPE_CHECKING:
    from constellationdb.engine.session import Session


def declare(session: Session, statement: st.DeclareCursor) -> Result:
    if session.transaction is None and not statement.hold:
        raise NoActiveTransaction("DECLARE CURSOR can only be used in transaction blocks")
    cursor = _cursor(session, statement)
    try:
        session.portals.add(statement.name, cursor)
    except BaseException:
        cursor.close()
        raise
    if session.transaction is None:
        _keep(session, statement.name)
    return Result("DECLARE CURSOR")


def _keep(session: Session, name: str) -> None:
    """Its statement is a transaction of its own, which ends here."""
    try:
        session.portals.persist()
    except BaseException:
        session.portals.close(name)
        raise
    session.portals.end_transaction(committed=True)


def _cursor(session: Session, statement: st.DeclareCursor) -> TableCursor | StreamCursor:
    source, now = statement.source, session.engine.clock.now_us()
    if isinstance(source, st.NamedSubscription):
        return open_subscription(session, statement, source)
    if isinstance(source, st.Select) and not is_continuous(source.query, session.relations):
        columns, rows = selects.later(session, source.query)
        return TableCursor(statement, with_names(session, columns, ())[0], now, lambda: _named(session, rows()))
    if statement.scroll:
        raise InvalidCursorDefinition(
            "a cursor over a stream cannot be SCROLL", hint="its rows are fetched in the order they come"
        )
    stream = (
        selects.open_query(session, source.query)
        if isinstance(source, st.Select)
        else selects.open_subscribe(session, source)
    )
    try:
        stream.start()
    except BaseException:
        stream.close()
        raise
    return StreamCursor(statement, now, stream)


def _named(session: Session, rows: pa.Table) -> pa.Table:
    """What registered types hold as names."""
    _, batches = with_names(session, answers.columns_of(rows.schema), rows.to_batches())
    return pa.Table.from_batches(batches) if batches else rows


def fetch(session: Session, statement: st.Fetch) -> Result:
    portal = session.portals.get(statement.cursor)
    batches = portal.fetch(statement)
    if statement.moves:
        return Result(f"MOVE {sum(batch.num_rows for batch in batches)}")
    return Result("FETCH", portal.columns, iter(batches), lambda n: f"FETCH {n}", binary=portal.binary)


def close(session: Session, statement: st.CloseCursor) -> Result:
    if statement.name is None:
        session.portals.close_all()
        return Result("CLOSE CURSOR ALL")
    session.portals.get(statement.name)
    session.portals.close(statement.name)
    return Result("CLOSE CURSOR")
