"""A connection over the Postgres protocol: simple queries, text results, so values are as the server printed them."""

from __future__ import annotations

import psycopg
from psycopg.pq import ExecStatus

from constellationdb.cli.slt.connection import Answer, ConnectionLost, SqlError


class WireConnection:
    """Without parameters psycopg says a query by the simple protocol; results are read before it converts them."""

    def __init__(self, url: str) -> None:
        try:
            self._connection = psycopg.connect(url, autocommit=True, prepare_threshold=None)
        except psycopg.OperationalError as error:
            raise ConnectionLost(str(error).strip()) from error

    def execute(self, sql: str) -> Answer:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(sql.encode())
                while cursor.nextset():
                    pass
                return _answer(cursor)
        except psycopg.Error as error:
            state, message = error.diag.sqlstate, error.diag.message_primary
            if self._connection.closed or state is None:
                raise ConnectionLost(str(error).strip()) from error
            detail, hint = error.diag.message_detail, error.diag.message_hint
            raise SqlError(state, message or "", detail, hint) from error

    def close(self) -> None:
        self._connection.close()


def _answer(cursor: psycopg.Cursor[tuple[object, ...]]) -> Answer:
    result = cursor.pgresult
    tag = cursor.statusmessage or ""
    if result is None or result.status != ExecStatus.TUPLES_OK:
        return Answer((), (), tag)
    columns = range(result.nfields)
    names = tuple((result.fname(column) or b"").decode() for column in columns)
    rows = tuple(tuple(_text(result.get_value(row, column)) for column in columns) for row in range(result.ntuples))
    return Answer(names, rows, tag)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()
