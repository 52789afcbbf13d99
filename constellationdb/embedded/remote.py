"""A Link to a server, through psycopg's libpq: texts are read into Arrow, batch by batch as they come."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import psycopg
import pyarrow as pa
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

from constellationdb.embedded import remote_conversation as conversation
from constellationdb.embedded.copying import copy_statement, copy_text, no_stream, not_a_copy, quoted
from constellationdb.embedded.link import Answer, Event, Feed, OnNotice, gathered
from constellationdb.embedded.parameters import Parameter
from constellationdb.embedded.remote_errors import as_ours
from constellationdb.embedded.remote_feed import RemoteFeed
from constellationdb.embedded.texts import Columns, batch_of, fitting, kinds_of
from constellationdb.engine.result import Notice
from constellationdb.errors import FeatureNotSupported

if TYPE_CHECKING:
    from constellationdb.engine.python import PythonFunction

_READING = ("SELECT", "SHOW", "EXPLAIN", "FLUSH", "")
_CANCEL_SECONDS = 10.0
_STATUS = {TransactionStatus.INTRANS: "T", TransactionStatus.INERROR: "E"}


class RemoteLink:
    """One connection for statements; a query read as it comes, and a subscription, get a connection of their own."""

    def __init__(self, url: str, on_notice: OnNotice | None = None) -> None:
        self._url = url
        self._on_notice = on_notice
        self._turn = threading.RLock()
        self._wrote = False
        self._connection = self._connect()

    @property
    def transaction_status(self) -> str:
        return _STATUS.get(self._connection.info.transaction_status, "I")

    def run(self, sql: str, parameters: tuple[Parameter, ...] = ()) -> list[Answer]:
        with self._turn:
            return gathered(self._events(self._connection, sql, parameters, at_once=True))

    def register(self, given: PythonFunction) -> None:
        raise FeatureNotSupported(
            f"function {given.definition.shown} cannot be registered with a server",
            hint="A function in Python runs in the process of the database: connect() to one in this process, or"
            " CREATE FUNCTION … LANGUAGE python where the server was started with --enable-python-functions.",
        )

    def events(self, sql: str, parameters: tuple[Parameter, ...] = ()) -> Iterator[Event]:
        with self._turn:
            yield from self._events(self._connection, sql, parameters)

    def stream(self, sql: str, parameters: tuple[Parameter, ...] = ()) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        with self._turn:
            if self.transaction_status != "I":
                answer = self.run(sql, parameters)[-1]  # only this session sees what its transaction did
                return answer.table().schema, iter(answer.batches)
            if self._wrote:
                self.run("FLUSH")  # another session may read views that have not come to our writes yet
                self._wrote = False
            columns = self._described(sql, parameters)
        return columns.schema, self._rows(sql, parameters)

    def columns(self, sql: str) -> pa.Schema:
        return self._described(sql).schema

    def insert(self, name: str, rows: pa.RecordBatch) -> int:
        with self._turn:
            if rows.num_rows:
                self.copy_in(copy_statement(name, rows), copy_text(rows))
            return int(self.run("SHOW epoch")[-1].table().column(0)[0].as_py())

    def copy_in(self, sql: str, data: Iterable[bytes]) -> str:
        with self._turn, self._saying(self._connection, sql, ()):
            pgconn = self._connection.pgconn
            self._expect(ExecStatus.COPY_IN, "FROM STDIN")
            self._connection.wait(conversation.copy(pgconn, data))
            done = self._received(self._connection)[-1]
            self._wrote = True
            return (done.command_status or b"").decode()

    def copy_out(self, sql: str) -> Iterator[bytes]:
        with self._turn, self._saying(self._connection, sql, ()):
            self._expect(ExecStatus.COPY_OUT, "TO STDOUT")
            while piece := self._connection.wait(conversation.copied(self._connection.pgconn)):
                yield piece
            self._received(self._connection)

    def subscribe(self, name: str, snapshot: bool, as_of: int | None) -> Feed:
        columns = self._described(f"SELECT * FROM {quoted(name)}")
        point = f" AS OF EPOCH {as_of}" if as_of is not None else ""
        shown = "true" if snapshot else "false"
        sql = f"COPY (SUBSCRIBE {quoted(name)} WITH (snapshot = {shown}, progress = true){point}) TO STDOUT"
        return RemoteFeed(self._connect(), sql, columns)

    def another(self) -> RemoteLink:
        return RemoteLink(self._url, self._on_notice)

    def cancel(self) -> None:
        # Not cancel(): that one waits inside libpq, holding the interpreter a server in this process needs.
        with as_ours():
            self._connection.cancel_safe(timeout=_CANCEL_SECONDS)

    def close(self) -> None:
        if not self._connection.closed:
            with suppress(psycopg.Error):  # the server may be gone
                self._connection.cancel_safe(timeout=_CANCEL_SECONDS)
            with self._turn:
                self._connection.close()

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        with as_ours():
            connection = psycopg.connect(self._url, autocommit=True, prepare_threshold=None)
        connection.add_notice_handler(self._heard)
        return connection

    def _heard(self, notice: psycopg.errors.Diagnostic) -> None:
        if self._on_notice is not None:
            severity, state = notice.severity or "NOTICE", notice.sqlstate or "00000"
            self._on_notice(Notice(notice.message_primary or "", severity, state, notice.message_hint))

    def _described(self, sql: str, parameters: tuple[Parameter, ...] = ()) -> Columns:
        with self._turn, as_ours():
            described = conversation.describe(self._connection.pgconn, sql, parameters)
            return kinds_of(_checked(self._connection.wait(described)))

    def _events(
        self,
        connection: psycopg.Connection[tuple[Any, ...]],
        sql: str,
        parameters: tuple[Parameter, ...],
        *,
        at_once: bool = False,
    ) -> Iterator[Event]:
        """``at_once``: libpq gathers each result, which takes a third of the time of rows as they come."""
        with self._saying(connection, sql, parameters, at_once=at_once):
            columns: Columns | None = None
            while results := self._received(connection):
                end = results[-1] if results[-1].status != conversation.ROW else None
                rows = [result for result in results if result.ntuples]
                if end is not None and end.status in (ExecStatus.COPY_IN, ExecStatus.COPY_OUT):
                    raise no_stream()
                if columns is None and (rows or (end is not None and end.status == ExecStatus.TUPLES_OK)):
                    columns = fitting(kinds_of(results[0]), rows)
                    yield columns.schema
                if rows:
                    assert columns is not None
                    yield batch_of(columns, rows)
                if end is not None:
                    columns = None
                    tag = (end.command_status or b"").decode()
                    self._wrote |= not tag.startswith(_READING)
                    yield tag

    @contextmanager
    def _saying(
        self,
        connection: psycopg.Connection[tuple[Any, ...]],
        sql: str,
        parameters: tuple[Parameter, ...],
        *,
        at_once: bool = False,
    ) -> Iterator[None]:
        """The statement is over when the body is: cancelled when it was left early, and read to its end."""
        with as_ours():
            try:
                connection.wait(conversation.say(connection.pgconn, sql, parameters, at_once=at_once))
                yield
            except psycopg.Error:
                raise
            except BaseException:
                if connection.info.transaction_status == TransactionStatus.ACTIVE:
                    connection.cancel_safe(timeout=_CANCEL_SECONDS)
                raise
            finally:
                if connection.info.transaction_status == TransactionStatus.ACTIVE:
                    connection.wait(conversation.drain(connection.pgconn))

    def _received(self, connection: psycopg.Connection[tuple[Any, ...]]) -> list[PGresult]:
        results = connection.wait(conversation.received(connection.pgconn))
        for result in results:
            _checked(result)
        return results

    def _expect(self, status: ExecStatus, direction: str) -> None:
        results = self._received(self._connection)
        if not results or results[-1].status != status:
            raise not_a_copy(direction)

    def _rows(self, sql: str, parameters: tuple[Parameter, ...]) -> Iterator[pa.RecordBatch]:
        with as_ours(), self._connect() as connection:
            for event in self._events(connection, sql, parameters):
                if isinstance(event, pa.RecordBatch):
                    yield event


def _checked(result: PGresult) -> PGresult:
    if result.status == ExecStatus.FATAL_ERROR:
        raise error_from_result(result)
    return result
