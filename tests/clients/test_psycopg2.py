"""psycopg2, the driver of most BI tools: simple protocol only, values in the text."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg2
import pytest

from tests.clients.conftest import Served


@pytest.fixture
def cursor(served: Served) -> Iterator[Any]:
    connection = psycopg2.connect(served.dsn)
    try:
        with connection.cursor() as opened:
            yield opened
    finally:
        connection.close()


def test_parameters_and_values(cursor: Any) -> None:
    cursor.execute("SELECT %s AS a, %s AS b, %s AS c, CAST(1.50 AS decimal(10,2)) AS d", (1, "it's", None))
    assert cursor.fetchall() == [(1, "it's", None, Decimal("1.50"))]
    assert [column.name for column in cursor.description] == ["a", "b", "c", "d"]


def test_the_implicit_transaction_fails_and_recovers(cursor: Any) -> None:
    with pytest.raises(psycopg2.errors.SyntaxError) as caught:
        cursor.execute("SELEC")
    assert caught.value.pgcode == "42601"
    with pytest.raises(psycopg2.errors.InFailedSqlTransaction):
        cursor.execute("SELECT 1 AS n")
    cursor.connection.rollback()
    cursor.execute("SELECT 1 AS n")
    assert cursor.fetchone() == (1,)


def test_the_server_version_is_postgres_15(cursor: Any) -> None:
    assert cursor.connection.server_version == 150014


def test_rows_affected(cursor: Any) -> None:
    cursor.execute("CREATE TABLE counted (a text)")
    cursor.execute("INSERT INTO counted VALUES ('1'), ('2')")
    assert cursor.rowcount == 2
