"""One statement with a server over libpq: what is sent, and what comes back as it comes.

Each function is a generator of psycopg's kind: it yields what it waits for
(``Wait``), and the connection waits. libpq's own waiting would hold the
interpreter, and with it a server in the same process.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import TypeVar

from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult
from psycopg.waiting import Ready, Wait

from constellationdb.embedded.parameters import Parameter

T = TypeVar("T")
Waiting = Generator[Wait, Ready | int, T]

_MOST_AT_ONCE = 8_192  # rows, so that a fast server does not fill our memory
ROW = ExecStatus.SINGLE_TUPLE


def say(pgconn: PGconn, sql: str, parameters: tuple[Parameter, ...], *, at_once: bool) -> Waiting[None]:
    """Sends a text of statements, or one statement with its parameters; rows come one by one, or ``at_once``."""
    if parameters:
        values = [None if parameter.text is None else parameter.text.encode() for parameter in parameters]
        pgconn.send_query_params(sql.encode(), values, param_types=[parameter.oid for parameter in parameters])
    else:
        pgconn.send_query(sql.encode())
    if not at_once:
        pgconn.set_single_row_mode()
    yield from flush(pgconn)


def describe(pgconn: PGconn, sql: str, parameters: tuple[Parameter, ...]) -> Waiting[PGresult]:
    """The statement's columns without running it; a result that may be an error."""
    pgconn.send_prepare(b"", sql.encode(), [parameter.oid for parameter in parameters])
    result = yield from last(pgconn)
    if result.status != ExecStatus.FATAL_ERROR:
        pgconn.send_describe_prepared(b"")
        result = yield from last(pgconn)
    return result


def flush(pgconn: PGconn) -> Waiting[None]:
    while pgconn.flush():
        if (yield Wait.RW) & Ready.R:
            pgconn.consume_input()


def received(pgconn: PGconn) -> Waiting[list[PGresult]]:
    """Waits for a result, and gives it with those that came along; an empty list at the end of what was said.

    Only rows may stand before another result: whatever else comes is the last of its list.
    """
    found: list[PGresult] = []
    while True:
        while pgconn.is_busy():
            if found:
                return found
            yield Wait.R
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is None:
            return found
        found.append(result)
        if result.status != ROW or len(found) == _MOST_AT_ONCE:
            return found


def last(pgconn: PGconn) -> Waiting[PGresult]:
    """Flushes, and reads to the end."""
    yield from flush(pgconn)
    result = None
    while results := (yield from received(pgconn)):
        result = results[-1]
    assert result is not None
    return result


def copied(pgconn: PGconn) -> Waiting[bytes]:
    """The next piece of ``COPY … TO STDOUT``; empty at its end, when another result follows."""
    while True:
        size, data = pgconn.get_copy_data(1)
        if size > 0:
            return bytes(data)
        if size < 0:
            return b""
        yield Wait.R
        pgconn.consume_input()


def copy(pgconn: PGconn, data: Iterable[bytes]) -> Waiting[None]:
    """Sends what ``COPY … FROM STDIN`` asked for; nothing is inserted when ``data`` raises."""
    try:
        for piece in data:
            pgconn.put_copy_data(piece)
            yield from flush(pgconn)
    except BaseException as error:
        yield from refuse_copy(pgconn, str(error))
        raise
    pgconn.put_copy_end()
    yield from flush(pgconn)


def refuse_copy(pgconn: PGconn, reason: str) -> Waiting[None]:
    pgconn.put_copy_end(reason.encode())
    yield from flush(pgconn)


def drain(pgconn: PGconn) -> Waiting[None]:
    """Reads what is left of everything that was said, and forgets it."""
    while results := (yield from received(pgconn)):
        if results[-1].status == ExecStatus.COPY_OUT:
            while (yield from copied(pgconn)):
                pass
        elif results[-1].status == ExecStatus.COPY_IN:
            yield from refuse_copy(pgconn, "not wanted")
