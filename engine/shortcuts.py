"""What a session answers without planning, and without waiting: prepared statements of two simple forms.

    SELECT … WHERE key = $1           a probe of the relation's index            ``find``, ``read``
    INSERT INTO t VALUES ($1, …)      a row for the sequencer's next epoch       ``insert``

Both either do exactly what the statement says or say that they do not, in which
case it runs like any other. The caller may be an event loop: nothing here blocks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import pyarrow as pa

from constellationdb.catalog.catalog import Catalog
from constellationdb.catalog.text.zones import UTC_ZONE, zone_named
from constellationdb.engine.admission import has_room
from constellationdb.engine.answers import columns_of
from constellationdb.engine.changes import insert_rows
from constellationdb.engine.point_index import Place
from constellationdb.engine.point_reads import Parameters, PointRead, point_read
from constellationdb.engine.result import Found, Prepared, ResultColumn
from constellationdb.engine.row_inserts import RowInsert, row_insert
from constellationdb.engine.sources import SourceState
from constellationdb.engine.stopped import failed_under
from constellationdb.engine.tables import TableState
from constellationdb.engine.writes import check_target
from constellationdb.errors import ConstellationError
from constellationdb.planner import statements as st
from constellationdb.planner.point import point_query
from constellationdb.planner.syntax import parse

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

Shortcut: TypeAlias = PointRead | RowInsert
Errors: TypeAlias = list[BaseException | None]

_REMEMBERED = 1024


class Shortcuts:
    """Those of one session, found once for each version of the catalog, time zone and search path."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._catalog: Catalog | None = None
        self._said = ("", "")  # the time zone and the search path
        self._settings_changes = -1
        self._unlimited = False  # no timeout is set
        self._found: dict[Prepared, Shortcut | None] = {}
        self._prepared: dict[tuple[str, tuple[int, ...]], Prepared] = {}

    def prepared(self, sql: str, parameter_oids: tuple[int, ...]) -> Prepared | None:
        """What preparing this text gave before, if nothing was defined since."""
        self._forget_outdated()
        return self._prepared.get((sql, parameter_oids)) if self._session.transaction is None else None

    def remember(self, parameter_oids: tuple[int, ...], prepared: Prepared) -> None:
        if self._session.transaction is None:
            self._forget_outdated()
            self._prepared[prepared.sql, parameter_oids] = prepared

    def of(self, prepared: Prepared) -> Shortcut | None:
        self._forget_outdated()
        if prepared not in self._found:
            self._found[prepared] = self._find(prepared)
        return self._found[prepared]

    def _forget_outdated(self) -> None:
        session = self._session
        if session.settings.changes != self._settings_changes:
            self._note_settings()
        if session.engine.catalog is not self._catalog or max(len(self._found), len(self._prepared)) > _REMEMBERED:
            self._catalog, self._found, self._prepared = session.engine.catalog, {}, {}

    def _note_settings(self) -> None:
        setting = self._session.settings.get
        self._settings_changes = self._session.settings.changes
        self._unlimited = setting("statement_timeout") == setting("idle_session_timeout") == "0"
        said = self._session.zone, setting("search_path")
        if said != self._said:
            self._said, self._catalog = said, None

    def _find(self, prepared: Prepared) -> Shortcut | None:
        try:
            statements = parse(prepared.sql)
            if not statements:
                return None  # an empty query, which drivers ask to see whether anybody is there
            statement = self._session.understood(statements[0])
            match statement:
                case st.Select():
                    return self._point_read(statement, prepared)
                case st.Insert():
                    return self._row_insert(statement, prepared)
        except (ConstellationError, ValueError):
            return None  # running the statement tells what is wrong
        return None

    def _point_read(self, statement: st.Select, prepared: Prepared) -> PointRead | None:
        session = self._session
        query = point_query(statement.query, session.relations)
        if query is None:
            return None
        relation = session.catalog.get(query.relation)
        read = point_read(session.engine.state(query.relation), query, relation, prepared.parameters)
        described = prepared.columns or ()
        same = read is not None and [c.type.arrow for c in described] == list(read.schema.types)
        return read if same else None

    def _row_insert(self, statement: st.Insert, prepared: Prepared) -> RowInsert | None:
        engine = self._session.engine
        relation = self._session.names.relation(statement.table)
        check_target(relation, None, insert=True)
        state = engine.state(relation.name)
        assert isinstance(state, TableState | SourceState)
        return row_insert(state, statement, prepared.parameters, zone_named(self._session.zone) or UTC_ZONE)

    # -- doing it --------------------------------------------------------------------------------

    def find(self, prepared: Prepared, parameters: Parameters) -> Found | None:
        """Where the rows are as the session sees them now; None when it has to wait, or to plan."""
        session = self._session
        read = self.of(prepared)
        if not isinstance(read, PointRead) or not self._is_free():
            return None
        places = self._locate(read, parameters)
        if places is None:
            return None
        session.activity.did(prepared.sql, session.engine.clock.now_us())
        return Found(places, read.columns)

    def _locate(self, read: PointRead, parameters: Parameters) -> tuple[Place, ...] | None:
        session, state = self._session, read.state
        with session.engine.lock:
            epoch = state.frontier
            if not state.ready or state.dropped or epoch < session.last_epoch or failed_under((state,)):
                return None
        return read.locate(parameters, epoch)

    def look(self, query: st.Query) -> tuple[tuple[ResultColumn, ...], list[pa.RecordBatch]] | None:
        """The answer to a query that was not prepared, where an index has its rows."""
        self._forget_outdated()
        asked = point_query(query, self._session.relations) if self._is_free() else None
        if asked is None or any(isinstance(value, st.Parameter) for _, value in asked.equals):
            return None
        relation = self._session.catalog.get(asked.relation)
        read = point_read(self._session.engine.state(asked.relation), asked, relation)
        places = None if read is None else self._locate(read, ())
        if read is None or places is None:
            return None
        columns = zip(columns_of(read.schema), read.columns, strict=True)
        known = tuple(replace(column, table=relation.oid, number=place + 1) for column, place in columns)
        return known, [read.rows(places)]

    def read(self, prepared: Prepared, parameters: Parameters) -> pa.RecordBatch | None:
        """The rows themselves."""
        found, read = self.find(prepared, parameters), self.of(prepared)
        return read.rows(found.places) if found is not None and isinstance(read, PointRead) else None

    def inserts(self, prepared: Prepared) -> bool:
        return isinstance(self.of(prepared), RowInsert)

    def insert(
        self, prepared: Prepared, rows: Sequence[Parameters], done: Callable[[Errors], None], *, together: bool
    ) -> bool:
        """Whether the rows are on their way; then ``done`` is called from another thread, with what is wrong with each.

        ``together``: all of them or none, and one outcome. Else each is a statement of its own.
        """
        insert = self.of(prepared)
        sequencer = self._session.engine.sequencer
        if not isinstance(insert, RowInsert) or sequencer is None or not self._is_free() or self._session.read_only:
            return False
        if isinstance(insert.state, SourceState) and not self._has_room(insert.state):
            return False  # the session's own thread waits
        try:
            batch = insert.batch(rows)
            parts = [batch] if together else [batch.slice(i, 1) for i in range(len(rows))]
            outcome = _Outcome(self._session, insert.state.name, len(parts), done)
            sequencer.insert_all(insert.state, [(part, _Part(outcome, i)) for i, part in enumerate(parts)])
        except ConstellationError:
            return False
        self._session.activity.did(prepared.sql, self._session.engine.clock.now_us())
        return True

    def _has_room(self, state: SourceState) -> bool:
        with self._session.engine.lock:
            return has_room(self._session.engine, state)

    def insert_together(self, prepared: Prepared, rows: Sequence[Parameters]) -> bool:
        """In the open transaction: all of the rows, or ConstellationError and none; False where it is not so simple."""
        session, insert = self._session, self.of(prepared)
        transaction = session.transaction
        if transaction is None or transaction.failed or transaction.defined is not None or session.terminated:
            return False
        if not isinstance(insert, RowInsert) or session.temporary.used or session.read_only:
            return False
        if session.settings.get("statement_timeout") != "0":
            return False
        batch = insert.batch(rows)
        session.begin_statement(prepared.sql)
        transaction.next_statement(session.engine)
        transaction.queried = True
        insert_rows(session, insert, batch)
        return True

    def _is_free(self) -> bool:
        """Whether a statement would be a transaction of its own, without a time limit. Asked after ``of``."""
        session = self._session
        return (
            self._unlimited
            and session.transaction is None
            and session.terminated is None
            and not session.temporary.used
        )


class _Outcome:
    """Of several rows that were inserted one by one; tells when the last is known."""

    def __init__(self, session: Session, relation: str, count: int, done: Callable[[Errors], None]) -> None:
        self._session = session
        self._relation = relation
        self._done = done
        self._guard = threading.Lock()
        self._left = count
        self._errors: Errors = [None] * count

    def know(self, place: int, epoch: int, error: BaseException | None) -> None:
        with self._guard:
            self._errors[place] = error
            self._left -= 1
            last = self._left == 0
        if error is None:
            self._session.wrote(epoch, {self._relation})
        if last:
            self._done(self._errors)


class _Part:
    """The reply that the sequencer gives to one row."""

    def __init__(self, outcome: _Outcome, place: int) -> None:
        self._outcome = outcome
        self._place = place

    def set_result(self, epoch: int) -> None:
        self._outcome.know(self._place, epoch, None)

    def set_exception(self, error: BaseException) -> None:
        self._outcome.know(self._place, 0, error)
