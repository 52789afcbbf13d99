"""A Link to a server, through psycopg: simple queries, whose texts are read into Arrow."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pyarrow as pa
from psycopg.errors import error_from_result
from psycopg.generators import execute
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult
from psycopg.types.string import TextLoader

from constellationdb.catalog.types import SqlType
from constellationdb.embedded.copying import copy_statement, copy_text, no_copy, quoted
from constellationdb.embedded.link import Answer, Feed, OnNotice
from constellationdb.embedded.remote_errors import as_ours
from constellationdb.embedded.remote_feed import RemoteFeed
from constellationdb.embedded.texts import column_of, type_of
from constellationdb.engine.result import Notice

_READING = ("SELECT", "SHOW", "EXPLAIN", "FLUSH")

_CANCEL_SECONDS = 10.0


class RemoteLink:
    """One connection for statements; a query read as it comes, and a subscription, get a connection of their own."""

    def __init__(self, url: str, on_notice: OnNotice | None = None) -> None:
        self._url = url
        self._on_notice = on_notice
        self._turn = threading.RLock()
        self._wrote = False
        self._connection = self._connect()

    def run(self, sql: str) -> list[Answer]:
        with self._turn, as_ours(), self._connection.cursor() as cursor:
            try:
                cursor.execute(sql.encode())
            except psycopg.ProgrammingError:
                if self._connection.info.transaction_status != TransactionStatus.ACTIVE:
                    raise
                # psycopg has noticed a COPY that the server is in the middle of; a new session is the way out.
                self._connection.close()
                self._connection = self._connect()
                raise no_copy() from None
            answers = []
            while True:
                answers.append(_answer(cursor.pgresult, cursor.statusmessage or ""))
                if not cursor.nextset():
                    break
            self._wrote |= any(not answer.tag.startswith(_READING) for answer in answers)
            return answers

    def stream(self, sql: str) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        with self._turn:
            if self._connection.info.transaction_status != TransactionStatus.IDLE:
                answer = self.run(sql)[-1]  # only this session sees what its transaction did
                return answer.table().schema, iter(answer.batches)
            if self._wrote:
                self.run("FLUSH")  # another session may read views that have not come to our writes yet
                self._wrote = False
            kinds = self._described(sql)
        return _schema(kinds), self._rows(sql, kinds)

    def columns(self, sql: str) -> pa.Schema:
        return _schema(self._described(sql))

    def insert(self, name: str, rows: pa.RecordBatch) -> int:
        with self._turn:
            if rows.num_rows:
                self._copy(name, rows)
            return int(self.run("SHOW epoch")[-1].table().column(0)[0].as_py())

    def subscribe(self, name: str, snapshot: bool, as_of: int | None) -> Feed:
        kinds = self._described(f"SELECT * FROM {quoted(name)}")
        point = f" AS OF EPOCH {as_of}" if as_of is not None else ""
        shown = "true" if snapshot else "false"
        sql = f"COPY (SUBSCRIBE {quoted(name)} WITH (snapshot = {shown}, progress = true){point}) TO STDOUT"
        return RemoteFeed(self._connect(), sql, kinds)

    def cancel(self) -> None:
        # Not cancel(): that one waits inside libpq, holding the interpreter a server in this process needs.
        self._connection.cancel_safe(timeout=_CANCEL_SECONDS)

    def close(self) -> None:
        if not self._connection.closed:
            with suppress(psycopg.Error):  # the server may be gone
                self.cancel()
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

    def _described(self, sql: str) -> list[tuple[str, SqlType]]:
        with self._turn, as_ours():
            self._connection.pgconn.send_prepare(b"", sql.encode())
            self._received()
            self._connection.pgconn.send_describe_prepared(b"")
            return _kinds(self._received())

    def _received(self) -> PGresult:
        """libpq's own waiting would hold the interpreter, and with it a server in the same process."""
        result: PGresult = self._connection.wait(execute(self._connection.pgconn))[-1]
        if result.status == ExecStatus.FATAL_ERROR:
            raise error_from_result(result)
        return result

    def _rows(self, sql: str, kinds: list[tuple[str, SqlType]]) -> Iterator[pa.RecordBatch]:
        schema = _schema(kinds)
        with as_ours(), self._connect() as connection, connection.cursor() as cursor:
            for _, kind in kinds:
                cursor.adapters.register_loader(kind.oid, TextLoader)  # what is printed, not a Python value of it
            try:
                for row in cursor.stream(sql.encode()):
                    columns = [column_of([text], kind) for text, (_, kind) in zip(row, kinds, strict=True)]
                    yield pa.RecordBatch.from_arrays(columns, schema=schema)
            except GeneratorExit:
                connection.cancel_safe(timeout=_CANCEL_SECONDS)
                raise

    def _copy(self, name: str, rows: pa.RecordBatch) -> None:
        statement = copy_statement(name, rows).encode()
        with as_ours(), self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(copy_text(rows))


def _answer(result: PGresult | None, tag: str) -> Answer:
    if result is None or result.status != ExecStatus.TUPLES_OK:
        return Answer(None, (), tag)
    kinds = _kinds(result)
    rows = range(result.ntuples)
    columns = [
        column_of([result.get_value(row, column) for row in rows], kind) for column, (_, kind) in enumerate(kinds)
    ]
    schema = _schema(kinds)
    if not columns:
        return Answer(schema, (), tag)
    return Answer(schema, (pa.RecordBatch.from_arrays(columns, schema=schema),), tag)


def _kinds(result: PGresult) -> list[tuple[str, SqlType]]:
    return [
        ((result.fname(column) or b"").decode(), type_of(result.ftype(column), result.fmod(column)))
        for column in range(result.nfields)
    ]


def _schema(kinds: list[tuple[str, SqlType]]) -> pa.Schema:
    return pa.schema([(name, kind.arrow) for name, kind in kinds])
