"""One client's SQL session: statements in, results out.

    text ─▶ parse ─▶ one Result a statement

Several statements in one text, and the extended protocol's between two Syncs,
are one implicit transaction. DML waits until its epoch is durable; a later
SELECT of the session waits until what it reads has reached that epoch.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from constellationdb.catalog import types
from constellationdb.catalog.catalog import Catalog
from constellationdb.catalog.model import Drop
from constellationdb.engine import answers, changes, selects
from constellationdb.engine.cancellation import TIMED_OUT, Cancellation
from constellationdb.engine.defining import define, wait_for
from constellationdb.engine.relations import Planned
from constellationdb.engine.result import Notice, Prepared, Result, ResultColumn
from constellationdb.engine.settings import Settings, milliseconds
from constellationdb.engine.shortcuts import Shortcuts
from constellationdb.engine.transaction import Transaction
from constellationdb.engine.writes import commit
from constellationdb.errors import (
    ConstellationError,
    InFailedTransaction,
    NoActiveTransaction,
    QueryCanceled,
    SqlSyntaxError,
)
from constellationdb.planner import parameters
from constellationdb.planner import statements as st
from constellationdb.planner.syntax import parse

if TYPE_CHECKING:
    from constellationdb.engine.engine import Engine
    from constellationdb.engine.sequencer import Epoch

_ENDS = ("commit", "rollback", "rollback_to")


class Session:
    """Implements ``SessionProtocol``."""

    def __init__(self, engine: Engine, user: str, database: str, settings: dict[str, str]) -> None:
        self.engine = engine
        self.user = user
        self.database = database
        self.settings = Settings(user, settings)
        self.cancelled = Cancellation()
        self.transaction: Transaction | None = None
        self._timer: threading.Timer | None = None  # of statement_timeout
        self.shortcuts = Shortcuts(self)
        self.last_epoch = 0  # of this session's own writes
        self.written: set[str] = set()

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
    def read_only(self) -> bool:
        return self.transaction is not None and self.transaction.read_only

    # -- the simple protocol -------------------------------------------------------------------

    def execute(self, sql: str) -> Iterator[Result]:
        self.cancelled.clear()
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
        elif more:
            self._start(explicit=False)
        return self._perform(statement)

    def _check_failed(self, statement: st.Statement) -> None:
        """In a failed transaction only its end is heard."""
        if self.transaction is not None and self.transaction.failed:
            ending = isinstance(statement, st.Transaction) and statement.action in _ENDS
            if not ending:
                raise InFailedTransaction(
                    "current transaction is aborted, commands ignored until end of transaction block"
                )

    def _perform(self, statement: st.Statement) -> Result:
        match statement:
            case st.Select():
                return selects.select(self, statement.query)
            case st.Insert() | st.Update() | st.Delete():
                return changes.change(self, statement)
            case st.Truncate():
                return changes.truncate(self, statement)
            case st.Copy():
                return (
                    changes.copy(self, statement) if statement.direction == "in" else selects.copy_out(self, statement)
                )
            case st.Subscribe():
                return selects.subscribe(self, statement)
            case st.Transaction():
                return self._transaction(statement)
            case st.SetVariable():
                return self._set(statement)
            case st.Show():
                return self._show(statement)
            case st.Explain():
                return selects.explain(self, statement)
            case st.Flush():
                self.flush()
                return Result("FLUSH")
            case st.Checkpoint():
                return self._checkpoint()
            case st.Accepted():
                notices = [Notice(statement.notice)] if statement.notice else []
                return Result(statement.tag, notices=notices)
            case _:
                return define(self, statement)

    # -- the extended protocol -----------------------------------------------------------------

    def prepare(self, sql: str, parameter_oids: tuple[int, ...] = ()) -> Prepared:
        known = self.shortcuts.prepared(sql, parameter_oids)
        if known is None:
            known = self._prepare(sql, parameter_oids)
            self.shortcuts.remember(parameter_oids, known)
        return known

    def _prepare(self, sql: str, parameter_oids: tuple[int, ...]) -> Prepared:
        count = max(parameters.parameter_count(sql), len(parameter_oids))
        oids = tuple(parameter_oids[i] if i < len(parameter_oids) else 0 for i in range(count))
        statements = parse(sql)
        if len(statements) > 1:
            raise SqlSyntaxError("cannot insert multiple commands into a prepared statement")
        if not statements:
            return Prepared(sql, oids, None)
        self._check_failed(statements[0])
        described = parse(parameters.describe(sql, oids))[0] if count else statements[0]
        shown = tuple(oid or types.TEXT.oid for oid in oids)
        return Prepared(sql, shown, self._columns(described))

    def _columns(self, statement: st.Statement) -> tuple[ResultColumn, ...] | None:
        """What a statement will answer with, without executing it."""
        match statement:
            case st.Select():
                return selects.describe(self, statement.query)
            case st.Insert() | st.Update() | st.Delete():
                return changes.describe(self, statement)
            case st.Subscribe():
                return selects.describe_subscribe(self, statement)
            case st.Show(name=name):
                return answers.SETTINGS if name == "all" else (ResultColumn(name, types.TEXT),)
            case st.Explain():
                return answers.EXPLAIN
            case _:
                return None

    def execute_prepared(
        self, prepared: Prepared, parameters_: tuple[str | None, ...], *, more: bool = False
    ) -> Result:
        self.cancelled.clear()
        if not more and (rows := self.shortcuts.read(prepared, parameters_)) is not None:
            return selects.answer(prepared.columns or (), [rows])
        sql = parameters.bind(prepared.sql, parameters_, prepared.parameters) if parameters_ else prepared.sql
        statements = parse(sql)
        if not statements:
            return Result("", empty_query=True)
        return self._run(statements[0], more=more)

    def sync(self) -> None:
        self._stop_timer()
        if self.transaction is not None and not self.transaction.explicit:
            self._commit()

    # -- transactions --------------------------------------------------------------------------

    @property
    def transaction_status(self) -> str:
        if self.transaction is None or not self.transaction.explicit:
            return "I"
        return "E" if self.transaction.failed else "T"

    def fail(self) -> None:
        """An error went to the client: an explicit transaction waits for its end, an implicit one is undone."""
        self._stop_timer()
        if self.transaction is None:
            return
        if self.transaction.explicit:
            self.transaction.failed = True
        else:
            self._rollback()

    def _start(self, *, explicit: bool) -> Transaction:
        self.settings.begin()
        self.transaction = Transaction(explicit)
        self._set_modes(self.transaction)
        return self.transaction

    def _set_modes(self, transaction: Transaction) -> None:
        transaction.read_only = self.settings.get("transaction_read_only") == "on"
        transaction.steady = self.settings.get("transaction_isolation") != "read committed"
        transaction.serializable = self.settings.get("transaction_isolation") == "serializable"

    @contextmanager
    def together(self) -> Iterator[Transaction]:
        """Several changes as one: in the open transaction, else in one of their own."""
        if self.transaction is not None:
            yield self.transaction
            return
        try:
            yield self._start(explicit=False)
        except BaseException:
            self._rollback()
            raise
        self._commit()

    def _commit(self) -> None:
        transaction = self._leave(committed=True)
        work = transaction.to_commit(self.engine)
        if work is None:
            return
        epoch = self.engine.submit(lambda e: commit(self.engine, e, work), first=bool(work.commands)).result()
        self.wrote(epoch, work.relations)
        if work.commands:
            self.engine.nudge()
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

    def _rollback(self) -> None:
        self._leave(committed=False)

    def _leave(self, *, committed: bool) -> Transaction:
        transaction, self.transaction = self.transaction, None
        assert transaction is not None
        transaction.end(self.engine)
        self.settings.end(committed=committed)
        return transaction

    def wrote(self, epoch: int, relations: set[str]) -> None:
        """Remember a write, for the reads that follow it."""
        self.last_epoch = max(self.last_epoch, epoch)
        self.written |= relations

    def _transaction(self, statement: st.Transaction) -> Result:
        match statement.action:
            case "begin":
                return self._begin(statement)
            case "commit" | "rollback":
                return self._end(statement)
        if self.transaction is None or not self.transaction.explicit:
            raise NoActiveTransaction(
                f"{statement.action.replace('_', ' ').upper()} can only be used in transaction blocks"
            )
        name = statement.savepoint or ""
        match statement.action:
            case "savepoint":
                self.transaction.savepoint(name)
                return Result("SAVEPOINT")
            case "release":
                self.transaction.release(name)
                return Result("RELEASE")
            case _:
                self.transaction.rollback_to(self.engine, name)
                return Result("ROLLBACK")

    def _begin(self, statement: st.Transaction) -> Result:
        if self.transaction is not None and self.transaction.explicit:
            return Result("BEGIN", notices=[Notice("there is already a transaction in progress", "WARNING", "25001")])
        transaction = self.transaction or self._start(explicit=True)
        transaction.explicit = True
        if statement.read_only is not None:
            self.settings.set("transaction_read_only", "on" if statement.read_only else "off", local=True)
        if statement.isolation is not None:
            self.settings.set("transaction_isolation", statement.isolation, local=True)
        self._set_modes(transaction)
        return Result("BEGIN")

    def _end(self, statement: st.Transaction) -> Result:
        transaction, tag = self.transaction, statement.action.upper()
        notices = []
        if transaction is None or not transaction.explicit:
            notices.append(Notice("there is no transaction in progress", "WARNING", "25P01"))
        if transaction is None:
            return Result(tag, notices=notices)
        if statement.action == "commit" and not transaction.failed:
            self._commit()
            return Result("COMMIT", notices=notices)
        self._rollback()
        return Result("ROLLBACK", notices=notices)

    # -- the rest ------------------------------------------------------------------------------

    def _set(self, statement: st.SetVariable) -> Result:
        self.settings.set(statement.name, statement.value, local=statement.local)
        if self.transaction is not None and statement.name in ("transaction_isolation", "transaction_read_only"):
            self._set_modes(self.transaction)
        return Result("RESET" if statement.value is None else "SET")

    def _show(self, statement: st.Show) -> Result:
        if statement.name.lower() == "all":
            return answers.settings(self.settings.all())
        return answers.text_rows((statement.name,), [(self.setting(statement.name),)], "SHOW")

    def setting(self, name: str) -> str:
        if name.lower() == "epoch":
            return str(self.last_epoch)
        return self.settings.get(name)

    def flush(self) -> None:
        """Wait until every view has reached this session's last epoch."""
        engine = self.engine

        def reached() -> bool:
            jobs = [j for j in engine.jobs.values() if j.failure is None]
            return all(not j.starting and j.reached() >= self.last_epoch for j in jobs)

        engine.wait(reached, self.cancelled)

    def _start_timer(self) -> None:
        self._stop_timer()
        limit_ms = milliseconds(self.settings.get("statement_timeout"))
        if limit_ms:
            self._timer = threading.Timer(limit_ms / 1e3, self.cancelled.set, (TIMED_OUT,))
            self._timer.daemon = True
            self._timer.start()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _checkpoint(self) -> Result:
        taken = self.engine.durability.checkpoint_now()
        note = "no checkpoint was taken: the first answer of a view is being computed, or a view has failed"
        return Result("CHECKPOINT", notices=[] if taken else [Notice(note)])

    def cancel(self) -> None:
        self.cancelled.set()

    def close(self) -> None:
        self._stop_timer()
        self.cancel()
        if self.transaction is not None:
            self._rollback()
