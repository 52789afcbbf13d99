"""One client's SQL session: statements in, results out.

    text ─▶ parse ─▶ one Result a statement

Several statements in one text, and the extended protocol's between two Syncs,
are one implicit transaction. DML waits until its epoch is durable; a later
SELECT of the session waits until what it reads has reached that epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from constellationdb.catalog.catalog import Catalog
from constellationdb.catalog.model import Drop
from constellationdb.engine import selects
from constellationdb.engine.admission import admitted
from constellationdb.engine.alarms import Alarm
from constellationdb.engine.cancellation import TIMED_OUT, Cancellation
from constellationdb.engine.defining import refuse_failed, wait_for
from constellationdb.engine.job import Job
from constellationdb.engine.naming import Names
from constellationdb.engine.performing import describe, perform
from constellationdb.engine.pg_catalog.functions import SessionFunctions
from constellationdb.engine.pg_catalog.objects import Objects
from constellationdb.engine.portals import Portals
from constellationdb.engine.prepared_statements import PreparedStatements
from constellationdb.engine.relations import Planned
from constellationdb.engine.result import Notice, Prepared, Result
from constellationdb.engine.session_sequences import SessionSequences
from constellationdb.engine.sessions import Activity, Client
from constellationdb.engine.settings import Settings, milliseconds
from constellationdb.engine.shortcuts import Shortcuts
from constellationdb.engine.stopped import is_stopped
from constellationdb.engine.temporary import TemporaryTables
from constellationdb.engine.transaction import Transaction
from constellationdb.engine.unacknowledged import Unacknowledged
from constellationdb.engine.writes import commit
from constellationdb.errors import (
    ConstellationError,
    IdleInTransactionTimeout,
    IdleSessionTimeout,
    InFailedTransaction,
    QueryCanceled,
    SqlSyntaxError,
)
from constellationdb.planner import parameters
from constellationdb.planner import statements as st
from constellationdb.planner.analysis.catalog_functions import Functions
from constellationdb.planner.inference import infer_parameters
from constellationdb.planner.resolving import resolved
from constellationdb.planner.syntax import parse
from constellationdb.planner.zones import in_zone

if TYPE_CHECKING:
    from constellationdb.engine.engine import Engine
    from constellationdb.engine.sequencer import Epoch

AnyStatement = TypeVar("AnyStatement", bound=st.Statement)

_ENDS = ("commit", "rollback", "rollback_to")
_LOOKING = (
    st.Select, st.Insert, st.Update, st.Delete, st.Merge, st.Copy, st.Subscribe, st.DeclareCursor, st.Fetch,
    st.ExecutePrepared, st.CreateTableAs, st.Explain, st.ChangingWith,
)  # fmt: skip
_WRITING = (st.Insert, st.Update, st.Delete, st.Merge, st.ChangingWith, st.Truncate, st.Copy, st.ExecutePrepared)
# From the least to the most severe; INFO is always told.
_SEVERITIES = ("debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error")


class Session:
    """Implements ``SessionProtocol``."""

    def __init__(
        self, engine: Engine, user: str, database: str, settings: dict[str, str], client: Client | None = None
    ) -> None:
        self.engine = engine
        self.user = user
        self.database = database
        self.client = client or Client()
        self.settings = Settings(user, settings, self.client.server)
        self.pid = engine.sessions.number()
        now = engine.clock.now_us()
        self.activity = Activity(now, now)
        self.cancelled = Cancellation()
        self.transaction: Transaction | None = None
        self.statements = PreparedStatements()
        self.portals = Portals()
        self.unacknowledged = Unacknowledged(self.portals)
        self._exchanges = 0  # of messages, each up to its Sync
        self.temporary = TemporaryTables(self)
        self.sequences = SessionSequences(self)
        self.names = Names(self)
        self.notices: list[Notice] = []  # that the running statement has for its result
        self.terminated: ConstellationError | None = None
        self.on_terminate: Callable[[ConstellationError], None] | None = None
        self._timer: Alarm | None = None  # of statement_timeout
        self._idle: Alarm | None = None  # of the two idle timeouts
        self.shortcuts = Shortcuts(self)
        self.last_epoch = 0  # of this session's own writes
        self.written: set[str] = set()
        engine.sessions.enter(self)
        self._rest()

    # -- what it sees --------------------------------------------------------------------------

    @property
    def catalog(self) -> Catalog:
        """With what the open transaction has defined."""
        current = self.engine.catalog
        return current if self.transaction is None else self.transaction.catalog(current)

    @property
    def relations(self) -> Planned:
        return self.engine.planned.of(self.catalog)

    @property
    def objects(self) -> Objects:
        """What pg_catalog tells of."""
        return self.engine.objects.of(self.catalog)

    @property
    def functions(self) -> Functions:
        return SessionFunctions(self)

    @property
    def zone(self) -> str:
        """Of the clocks that SQL goes by, by the name SHOW timezone prints."""
        return self.settings.get("timezone")

    def understood(self, statement: AnyStatement) -> AnyStatement:
        """With what it leaves to the session to say: the time zone, and the schemas of relations."""
        if not self.names.plain:
            statement = resolved(statement, self.names.find)
        return statement if self.zone == "UTC" else in_zone(statement, self.zone)

    @property
    def read_only(self) -> bool:
        if self.transaction is None:
            return self.settings.get("default_transaction_read_only") == "on"
        return self.transaction.read_only

    # -- the simple protocol -------------------------------------------------------------------

    def execute(self, sql: str) -> Iterator[Result]:
        self.begin_statement(sql)
        try:
            statements = parse(sql)
            if not statements:
                yield Result("", empty_query=True)
            for number, statement in enumerate(statements, 1):
                yield self._run(statement, more=number < len(statements))
            self.sync()
        except ConstellationError:
            self.fail()
            raise

    def _run(self, statement: st.Statement, *, more: bool) -> Result:
        """One statement; ``more`` of the same implicit transaction may follow."""
        self._check_failed(statement)
        self._start_timer()
        if self.transaction is not None:
            self.transaction.next_statement(self.engine)
        elif more or (self.temporary.acts_at_commit and isinstance(statement, _WRITING)):
            self.start(explicit=False)
        if self.transaction is not None and isinstance(statement, _LOOKING):
            self.transaction.queried = True
        result = perform(self, self.understood(statement))
        self._add_notices(result)
        return result

    def _add_notices(self, result: Result) -> None:
        """Those that came up meanwhile, and of all the ones that ``client_min_messages`` lets pass."""
        if self.notices:
            result.notices += self.notices
            self.notices = []
        if result.notices:
            least = self.settings.get("client_min_messages")
            rank = 0 if least == "info" else _SEVERITIES.index(least)
            result.notices = [n for n in result.notices if _SEVERITIES.index(n.severity.lower()) >= rank]

    def _check_failed(self, statement: st.Statement) -> None:
        """In a failed transaction only its end is heard."""
        if self.transaction is not None and self.transaction.failed:
            ending = isinstance(statement, st.Transaction) and statement.action in _ENDS
            if not ending:
                raise InFailedTransaction(
                    "current transaction is aborted, commands ignored until end of transaction block"
                )

    # -- the extended protocol -----------------------------------------------------------------

    def prepare(self, sql: str, parameter_oids: tuple[int, ...] = ()) -> Prepared:
        known = self.shortcuts.prepared(sql, parameter_oids)
        if known is None:
            known = self._prepare(sql, parameter_oids)
            self.shortcuts.remember(parameter_oids, known)
        return known

    def _prepare(self, sql: str, parameter_oids: tuple[int, ...]) -> Prepared:
        statements = parse(sql)
        if len(statements) > 1:
            raise SqlSyntaxError("cannot insert multiple commands into a prepared statement")
        if not statements:
            return Prepared(sql, parameter_oids, None)
        self._check_failed(statements[0])
        statement = self.understood(statements[0])
        oids = infer_parameters(statement, self.relations, parameter_oids)
        nulls: list[str | None] = [None] * len(oids)
        return Prepared(sql, oids, describe(self, self._bound(statement, nulls, oids)))

    def _bound(self, statement: st.Statement, values: Sequence[str | None], oids: tuple[int, ...]) -> st.Statement:
        if not oids:
            return statement
        target = self.relations.get(self.names.find(statement.table)) if isinstance(statement, st.Insert) else None
        schema = None if target is None else target.schema
        return parameters.bind(statement, parameters.arguments(values, oids), schema)

    def execute_prepared(
        self, prepared: Prepared, parameters_: tuple[str | None, ...], *, more: bool = False
    ) -> Result:
        self.begin_statement(prepared.sql)
        if not more and (rows := self.shortcuts.read(prepared, parameters_)) is not None:
            return selects.answer(prepared.columns or (), [rows])
        statements = parse(prepared.sql)
        if not statements:
            return Result("", empty_query=True)
        return self._run(self._bound(statements[0], parameters_, prepared.parameters), more=more)

    def run_prepared(self, prepared: Prepared, parameters_: Sequence[str | None]) -> Result:
        """The same inside of a statement: EXECUTE."""
        (statement,) = parse(prepared.sql)
        return perform(self, self.understood(self._bound(statement, parameters_, prepared.parameters)))

    def fetch_portal(self, name: str, limit: int) -> Result:
        """Execute of a cursor that was declared: its next rows, 0 for all."""
        self.begin_statement(f"FETCH {limit or 'ALL'} FROM {name}")
        move = st.Fetch("", 0, name, "forward", limit or None)
        self._check_failed(move)
        self._start_timer()
        portal = self.portals.get(name, "portal")
        return Result("SELECT", portal.columns, iter(portal.fetch(move)), lambda rows: f"SELECT {rows}")

    def begin_statement(self, sql: str) -> None:
        """A message with something to do has come."""
        if self.terminated is not None:
            raise self.terminated
        self.cancelled.clear()
        self.notices.clear()
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        self.activity.begin(sql, self.engine.clock.now_us())

    def sync(self) -> None:
        self._stop_timer()
        if self.transaction is not None and not self.transaction.explicit:
            self.commit()
        self._rest()

    def _rest(self) -> None:
        """Until the client says something again."""
        self._exchanges += 1
        self.activity.rest(self.engine.clock.now_us())
        name, problem = _IDLE[self.transaction_status]
        limit_ms = milliseconds(self.settings.get(name))
        if self._idle is not None:
            self._idle.cancel()
        self._idle = self.engine.alarms.set(limit_ms / 1e3, lambda: self.terminate(problem())) if limit_ms else None

    # -- transactions --------------------------------------------------------------------------

    @property
    def transaction_status(self) -> str:
        if self.transaction is None or not self.transaction.explicit:
            return "I"
        return "E" if self.transaction.failed else "T"

    @property
    def unit(self) -> object:
        """What is undone as one when it fails: the transaction that BEGIN opened, or all up to the next Sync."""
        transaction = self.transaction
        return transaction if transaction is not None and transaction.explicit else self._exchanges

    def fail(self) -> None:
        """An error went to the client: an explicit transaction waits for its end, an implicit one is undone."""
        self._stop_timer()
        if self.transaction is not None and self.transaction.explicit:
            self.transaction.failed = True
        elif self.transaction is not None:
            self.rollback()
        else:
            self.unacknowledged.give_back(self.unit)
        self._rest()

    def start(self, *, explicit: bool) -> Transaction:
        self.settings.begin()
        self.transaction = Transaction(explicit)
        self.activity.xact_start = self.engine.clock.now_us()
        self.set_modes(self.transaction)
        return self.transaction

    def set_modes(self, transaction: Transaction) -> None:
        """As the settings say."""
        isolation = self.settings.get("transaction_isolation")
        transaction.read_only = self.settings.get("transaction_read_only") == "on"
        transaction.steady = not isolation.startswith("read ")
        transaction.serializable = isolation == "serializable"

    @contextmanager
    def together(self) -> Iterator[Transaction]:
        """Several changes as one: in the open transaction, else in one of their own."""
        if self.transaction is not None:
            yield self.transaction
            return
        try:
            yield self.start(explicit=False)
        except BaseException:
            self.rollback()
            raise
        self.commit()

    def commit(self) -> None:
        try:
            self.portals.persist()
            if self.temporary.used:
                self.temporary.before_commit()
        except BaseException:
            self.rollback()
            raise
        unit = self.unit
        given = self.unacknowledged.of(unit)
        transaction = self._leave(committed=True)
        if transaction.explicit:
            transaction.acknowledged = given
        work = transaction.to_commit(self.engine)
        if work is None:
            return
        try:
            with admitted(self.engine, work.into_sources(), self.cancelled):
                epoch = self.engine.submit(lambda e: commit(self.engine, e, work), first=bool(work.commands)).result()
        except BaseException:
            self.unacknowledged.give_back(unit)
            raise
        if transaction.explicit:
            self.unacknowledged.settle(unit)
        self.wrote(epoch, work.relations)
        if work.commands:
            self.engine.nudge()
            if self.settings.get("background_ddl") == "off":
                self._wait_for_views(work.views)

    def _wait_for_views(self, names: list[str]) -> None:
        """Until they have their first answers; those that have not when the statement is cancelled are gone again."""
        try:
            for name in names:
                wait_for(self, name)
        except QueryCanceled:
            self.engine.submit(lambda epoch: self._drop_unfinished(epoch, names), first=True).result()
            raise

    def _drop_unfinished(self, epoch: Epoch, names: list[str]) -> None:
        starting = [name for name in names if name in self.engine.jobs and self.engine.jobs[name].starting]
        if starting:
            self.engine.define(epoch, Drop(self.engine.catalog.to_drop(starting, cascade=True)))

    def rollback(self) -> None:
        unit = self.unit
        self._leave(committed=False)
        self.unacknowledged.give_back(unit)

    def _leave(self, *, committed: bool) -> Transaction:
        transaction, self.transaction = self.transaction, None
        assert transaction is not None
        transaction.end(self.engine)
        self.activity.xact_start = None
        self.portals.end_transaction(committed=committed)
        self.settings.end(committed=committed)
        return transaction

    def wrote(self, epoch: int, relations: set[str]) -> None:
        """Remember a write, for the reads that follow it."""
        self.last_epoch = max(self.last_epoch, epoch)
        self.written |= relations

    # -- the rest ------------------------------------------------------------------------------

    def setting(self, name: str) -> str:
        if name.lower() == "epoch":
            return str(self.last_epoch)
        return self.settings.get(name)

    @property
    def settings_changes(self) -> int:
        return self.settings.changes

    def flush(self) -> None:
        """Wait until every view has reached this session's last epoch."""
        engine = self.engine

        def reached() -> bool:
            jobs = [j for j in engine.jobs.values() if not is_stopped(j)]
            return all(not j.starting and j.reached() >= self.last_epoch for j in jobs)

        engine.wait(reached, self.cancelled)

    def wait(self) -> None:
        """Until no first answer of a view, or of its next version, is being computed, and sinks have delivered.

        The error of an answer that failed.
        """
        engine = self.engine
        with engine.lock:
            begun = [job for job in engine.jobs.values() if job.starting or self._is_coming(job)]
        engine.wait(lambda: not any(map(self._is_coming, begun)), self.cancelled)
        with engine.lock:
            epoch, names = engine.epoch, {job.name for job in begun}
        self.wrote(epoch, names)
        # Those that came a moment ago, too, are to have what happened meanwhile.
        engine.wait(lambda: all(j.starting or _has_reached(j, epoch) for j in engine.jobs.values()), self.cancelled)
        for job in begun:
            if not job.closed:
                refuse_failed(engine, job)
        self._wait_for_sinks()
        with engine.lock:
            last = engine.epoch  # what sinks into tables have written, too
        engine.wait(lambda: all(j.starting or _has_reached(j, last) for j in engine.jobs.values()), self.cancelled)

    def _wait_for_sinks(self) -> None:
        """Until those that work have delivered what there is."""
        engine = self.engine
        with engine.lock:
            asked = [(sink, sink.follows.frontier) for sink in engine.sinks.values()]
        for sink, _ in asked:
            sink.hurry()
        engine.wait(lambda: all(sink.has_delivered(epoch) for sink, epoch in asked), self.cancelled)

    def _is_coming(self, job: Job) -> bool:
        """Whether readers do not have its answer yet: that of a next version they have once it has taken over."""
        relation = self.engine.catalog.relations.get(job.name)
        if relation is None or is_stopped(job) or job.closed:
            return False
        return job.starting or relation.is_upcoming or job.handing_over

    def _start_timer(self) -> None:
        self._stop_timer()
        limit_ms = milliseconds(self.settings.get("statement_timeout"))
        if limit_ms:
            limit = self.cancelled.limit()
            self._timer = self.engine.alarms.set(limit_ms / 1e3, lambda: self.cancelled.set(TIMED_OUT, limit))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self.cancelled.unlimit()

    def cancel(self) -> None:
        self.cancelled.set()

    def terminate(self, reason: ConstellationError) -> None:
        """Any thread: stop the statement, and tell the client why there will be no other."""
        self.terminated = self.terminated or reason
        if self.on_terminate is not None:  # first, so that the client hears of this and not of a cancelled statement
            self.on_terminate(reason)
        self.cancelled.set()

    def close(self) -> None:
        self._stop_timer()
        if self._idle is not None:
            self._idle.cancel()
        self.cancel()
        if self.transaction is not None:
            self.rollback()
        self.portals.close_all()
        self.temporary.close()
        self.engine.sessions.leave(self)


def _has_reached(job: Job, epoch: int) -> bool:
    """Or never will."""
    return job.closed or is_stopped(job) or job.reached() >= epoch


def _idle_in_transaction() -> ConstellationError:
    return IdleInTransactionTimeout("terminating connection due to idle-in-transaction timeout")


def _idle_session() -> ConstellationError:
    return IdleSessionTimeout("terminating connection due to idle-session timeout")


# By transaction status: which timeout, and what the client is told.
_IDLE: dict[str, tuple[str, Callable[[], ConstellationError]]] = {
    "I": ("idle_session_timeout", _idle_session),
    "T": ("idle_in_transaction_session_timeout", _idle_in_transaction),
    "E": ("idle_in_transaction_session_timeout", _idle_in_transaction),
}
