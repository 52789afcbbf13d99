"""What a client says in its time zone: parameters, prepared rows, COPY, cursors; and views across sessions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.clients.conftest import Served

_LOCAL, _BERLIN, _TOKYO, _UTC = "2024-07-01 12:00", "10:00:00+00", "03:00:00+00", "12:00:00+00"


@pytest.fixture
def berlin(served: Served) -> Iterator[psycopg.Connection]:
    with psycopg.connect(f"{served.dsn} options='-c timezone=Europe/Berlin'", autocommit=True) as connected:
        connected.execute("CREATE TABLE heard (id int PRIMARY KEY, at timestamptz, local timestamp)")
        yield connected
        connected.execute("DROP TABLE heard CASCADE")


@pytest.fixture
def utc(served: Served) -> Iterator[psycopg.Connection]:
    with psycopg.connect(served.dsn, autocommit=True) as connected:
        yield connected


def _heard(utc: psycopg.Connection) -> list[str]:
    return [text for (text,) in _rows(utc, "SELECT right(at::text, 11) FROM heard ORDER BY id")]


def _rows(connection: psycopg.Connection, sql: str) -> list[tuple[Any, ...]]:
    return connection.execute(sql.encode()).fetchall()


def test_prepared_rows_are_read_in_the_zone_of_their_execution(
    berlin: psycopg.Connection, utc: psycopg.Connection
) -> None:
    expected: list[str] = []
    for zone, text in (("Europe/Berlin", _BERLIN), ("Asia/Tokyo", _TOKYO), ("UTC", _UTC), ("Europe/Berlin", _BERLIN)):
        berlin.execute(f"SET timezone = '{zone}'".encode())
        for _ in range(2):
            berlin.execute("INSERT INTO heard VALUES (%s, %s)", (len(expected), _LOCAL), prepare=True)
            expected.append(text)
    assert _heard(utc) == expected


def test_parameters_are_read_in_the_zone(berlin: psycopg.Connection) -> None:
    berlin.execute("INSERT INTO heard VALUES (1, '2024-07-01 10:00Z')")
    asked = "SELECT id FROM heard WHERE at = %s"
    found = []
    for zone in ("Europe/Berlin", "UTC", "Europe/Berlin"):
        berlin.execute(f"SET timezone = '{zone}'".encode())
        found.append(berlin.execute(asked, (_LOCAL,), prepare=True).fetchall())
    assert found == [[(1,)], [], [(1,)]]


@pytest.mark.parametrize(("options", "row"), [("", f"1\t{_LOCAL}\t{_LOCAL}\n"), ("(FORMAT csv)", f"1,{_LOCAL},\n")])
def test_copied_rows_are_read_in_the_zone(
    berlin: psycopg.Connection, utc: psycopg.Connection, options: str, row: str
) -> None:
    with berlin.cursor() as cursor, cursor.copy(f"COPY heard FROM STDIN {options}".encode()) as copy:
        copy.write(row)
    assert _heard(utc) == [_BERLIN]


def test_binary_moments_are_instants(berlin: psycopg.Connection, utc: psycopg.Connection) -> None:
    ((moment,),) = _rows(utc, "SELECT timestamptz '2024-07-01 10:00Z'")
    berlin.execute("INSERT INTO heard VALUES (1, %b)", (moment,))
    assert _heard(utc) == [_BERLIN]


def test_a_view_computes_in_the_zone_of_its_creation(berlin: psycopg.Connection, utc: psycopg.Connection) -> None:
    query = "SELECT id, at::date AS day, at = local AS meets, at + interval '1 day' AS later FROM heard"
    berlin.execute(f"CREATE VIEW plain AS {query}".encode())
    berlin.execute(f"CREATE MATERIALIZED VIEW kept AS {query}".encode())
    utc.execute(f"CREATE MATERIALIZED VIEW kept_in_utc AS {query}".encode())
    utc.execute("CREATE MATERIALIZED VIEW of_plain AS SELECT * FROM plain")
    berlin.execute("INSERT INTO heard VALUES (1, '2024-03-31 00:30', '2024-03-31 00:30')")
    here = [(1, "2024-03-31", True, "2024-03-31 22:30:00+00")]
    there = [(1, "2024-03-30", False, "2024-03-31 23:30:00+00")]
    for name, expected in (("plain", here), ("kept", here), ("of_plain", here), ("kept_in_utc", there)):
        shown = "SELECT id, day::text, meets, (later AT TIME ZONE 'UTC')::text || '+00' FROM "
        for reader in (utc, berlin):
            assert _rows(reader, shown + name) == expected, name


def test_a_cursor_keeps_the_zone_it_was_declared_in(berlin: psycopg.Connection) -> None:
    berlin.execute("INSERT INTO heard VALUES (1, '2024-07-01 10:00Z')")
    with berlin.transaction():
        berlin.execute("DECLARE c CURSOR FOR SELECT at::text FROM heard")
        berlin.execute("SET LOCAL timezone = 'Asia/Tokyo'")
        assert _rows(berlin, "FETCH ALL FROM c") == [("2024-07-01 12:00:00+02",)]
        assert _rows(berlin, "SELECT at::text FROM heard") == [("2024-07-01 19:00:00+09",)]
    assert _rows(berlin, "SELECT at::text FROM heard") == [("2024-07-01 12:00:00+02",)]
