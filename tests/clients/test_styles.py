"""Settings that change how results are printed, as clients see them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from tests.clients.conftest import Served

_MOMENT = datetime(2024, 7, 1, 10, tzinfo=UTC)


@pytest.fixture
def connection(served: Served) -> Iterator[psycopg.Connection]:
    with psycopg.connect(served.dsn, autocommit=True) as connected:
        yield connected


def shown(connection: psycopg.Connection, sql: str) -> str:
    """The first value as it was sent."""
    cursor = connection.execute(sql.encode())
    assert cursor.pgresult is not None
    value = cursor.pgresult.get_value(0, 0)
    assert value is not None
    return value.decode()


_ZONES = [
    ("SET timezone = 'Europe/Berlin'", "2024-07-01 12:00:00+02", "Europe/Berlin"),
    ("SET TIME ZONE 'asia/kolkata'", "2024-07-01 15:30:00+05:30", "Asia/Kolkata"),
    ("SET TIME ZONE -7", "2024-07-01 03:00:00-07", "<-07>+07"),
    ("SET TIME ZONE DEFAULT", "2024-07-01 10:00:00+00", "UTC"),
]


@pytest.mark.parametrize(("statement", "text", "name"), _ZONES)
def test_timestamptz_in_the_session_zone(connection: psycopg.Connection, statement: str, text: str, name: str) -> None:
    connection.execute(statement.encode())
    sql = "SELECT timestamptz '2024-07-01 10:00:00+00'"
    assert shown(connection, sql) == text
    assert shown(connection, "SHOW timezone") == connection.info.parameter_status("TimeZone") == name
    row = connection.execute(sql.encode()).fetchone()
    assert row is not None
    assert row[0] == _MOMENT


def test_a_zone_from_the_first_message(served: Served) -> None:
    with psycopg.connect(f"{served.dsn} options='-c timezone=America/New_York'") as connection:
        row = connection.execute("SELECT timestamptz '2024-07-01 10:00:00+00'").fetchone()
        assert row is not None
        assert (row[0], row[0].utcoffset()) == (_MOMENT, timedelta(hours=-4))
    with pytest.raises(psycopg.OperationalError, match='invalid value for parameter "TimeZone": "Nowhere"'):
        psycopg.connect(f"{served.dsn} options='-c timezone=Nowhere'")


def test_a_rollback_brings_the_zone_back(connection: psycopg.Connection) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("SET timezone = 'Asia/Tokyo'")
        assert shown(connection, "SELECT timestamptz '2024-07-01 10:00:00+00'") == "2024-07-01 19:00:00+09"
    assert shown(connection, "SELECT timestamptz '2024-07-01 10:00:00+00'") == "2024-07-01 10:00:00+00"


def test_a_prepared_point_read_follows_the_settings(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE styled (id int PRIMARY KEY, at timestamptz)")
    connection.execute("INSERT INTO styled VALUES (1, '2024-07-01 10:00:00+00')")

    def read() -> str:
        cursor = connection.execute("SELECT at FROM styled WHERE id = %s", [1], prepare=True)
        assert cursor.pgresult is not None
        return (cursor.pgresult.get_value(0, 0) or b"").decode()

    assert [read(), read()] == ["2024-07-01 10:00:00+00"] * 2
    connection.execute("SET timezone = 'Europe/Berlin'")
    assert [read(), read()] == ["2024-07-01 12:00:00+02"] * 2
    connection.execute("RESET timezone")
    assert read() == "2024-07-01 10:00:00+00"


def test_float_digits_and_bytea_output(connection: psycopg.Connection) -> None:
    connection.execute("SET extra_float_digits = 0")
    assert shown(connection, "SELECT 0.1::float8 + 0.2::float8") == "0.3"
    connection.execute("SET extra_float_digits = 3")
    assert shown(connection, "SELECT 0.1::float8 + 0.2::float8") == "0.30000000000000004"
    connection.execute("SET bytea_output = 'escape'")
    assert shown(connection, "SELECT '\\x61005c'::bytea") == "a\\000\\\\"
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="bytea_output"):
        connection.execute("SET bytea_output = 'base64'")


def test_copy_follows_the_settings_too(connection: psycopg.Connection) -> None:
    connection.execute("SET timezone = 'Europe/Berlin'")
    with connection.cursor().copy("COPY (SELECT timestamptz '2024-01-01 00:00:00+00', 1.5::float8) TO STDOUT") as copy:
        assert b"".join(bytes(data) for data in copy) == b"2024-01-01 01:00:00+01\t1.5\n"


def test_binary_copy_is_read_by_psycopg(connection: psycopg.Connection) -> None:
    query = "SELECT n, n / 4.0::float8, 'x' || n FROM generate_series(1, 20000) AS g(n)"
    with connection.cursor().copy(f"COPY ({query}) TO STDOUT (FORMAT binary)".encode()) as copy:
        copy.set_types(["int4", "float8", "text"])
        assert list(copy.rows()) == [(n, n / 4, f"x{n}") for n in range(1, 20001)]
