"""Everything a session says besides queries, asked of a real Postgres and of ours: the answers are the same."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path

import psycopg

from tests.clients.conftest import Served

SCRIPT = Path(__file__).with_name("sessions_like_postgres.sql")


def test_a_session_is_postgres(served: Served, postgres: str) -> None:
    statements = [line for line in SCRIPT.read_text().splitlines() if line and not line.startswith("--")]
    assert len(statements) > 300
    theirs = Transcript(postgres)
    ours = Transcript(served.dsn.replace("user=tester", "user=postgres"))
    different = [
        f"{statement}\n  Postgres: {wanted}\n  here:     {found}"
        for statement, wanted, found in zip_longest(statements, theirs.of(statements), ours.of(statements))
        if wanted != found
    ]
    assert not different, "\n".join(different)


class Transcript:
    """What a server answers to statements, one after the other, as text."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._notices: list[str] = []

    def of(self, statements: list[str]) -> list[str]:
        with psycopg.connect(self._dsn, autocommit=True, prepare_threshold=None) as connection:
            connection.add_notice_handler(lambda notice: self._notices.append(_told(notice)))
            return [self._answer(connection, statement) for statement in statements]

    def _answer(self, connection: psycopg.Connection, statement: str) -> str:
        self._notices.clear()
        try:
            cursor = connection.execute(statement.encode())
            rows = cursor.fetchall() if cursor.description else None
            columns = [column.name for column in cursor.description or ()]
            outcome = f"{cursor.statusmessage} {columns} {rows}"
        except psycopg.Error as error:
            outcome = _told(error.diag)
        return " ".join([*self._notices, outcome])


def _told(about: psycopg.errors.Diagnostic) -> str:
    return (
        f"{about.severity} {about.sqlstate}: {about.message_primary} (detail {about.message_detail},"
        f" hint {about.message_hint}, at {about.statement_position})"
    )
