"""psycopg over composite types, enums and maps: in text and in binary, as parameters, in COPY."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg.types.composite import CompositeInfo, register_composite
from psycopg.types.enum import EnumInfo

from tests.clients.conftest import Served


@pytest.fixture
def connection(served: Served) -> Iterator[psycopg.Connection]:
    with psycopg.connect(served.dsn, autocommit=True) as connected:
        connected.execute("CREATE TYPE spot AS (x int, label text, at timestamptz)")
        connected.execute("CREATE TYPE spot_mood AS ENUM ('sad', 'ok')")
        connected.execute("CREATE TABLE spots (id int PRIMARY KEY, p spot, m spot_mood, ps spot[], kv map(text, int))")
        yield connected
        connected.execute("DROP TABLE spots")
        connected.execute("DROP TYPE spot, spot_mood")


def _registered(connection: psycopg.Connection) -> Any:
    info = CompositeInfo.fetch(connection, "spot")
    assert info is not None
    assert (list(info.field_names), list(info.field_types)) == (["x", "label", "at"], [23, 25, 1184])
    register_composite(info, connection)
    return info.python_type


def test_rows_in_text_and_in_binary(connection: psycopg.Connection) -> None:
    spot = _registered(connection)
    at = datetime(2024, 1, 1, tzinfo=UTC)
    connection.execute(
        "INSERT INTO spots (id, p, ps) VALUES (1, %s, %s)", (spot(1, 'a "b"\\', at), [spot(2, None, None)])
    )
    expected = (spot(1, 'a "b"\\', at), [spot(2, None, None)])
    for binary in (False, True):
        found = connection.cursor(binary=binary).execute("SELECT p, ps FROM spots").fetchall()
        assert found == [expected]
    row = connection.cursor(binary=True).execute("SELECT ROW(1, 'x', 2.5, NULL::int), spots FROM spots").fetchone()
    assert row is not None
    assert row == ((1, "x", Decimal("2.5"), None), (1, *expected[:1], None, expected[1], None))
    connection.execute("SET TIME ZONE 'Asia/Tokyo'")
    assert connection.execute("SELECT p FROM spots").pgresult.get_value(0, 0) == (  # type: ignore[union-attr]
        b'(1,"a ""b""\\\\","2024-01-01 09:00:00+09")'
    )
    assert connection.execute("SELECT p, ps FROM spots").fetchall() == [expected]


def test_parameters_of_users_types(connection: psycopg.Connection) -> None:
    spot = _registered(connection)
    connection.execute(
        "INSERT INTO spots (id, p, m, kv) VALUES (1, %s, %s, %s)", (spot(5, "z", None), "ok", '{"a": 7}')
    )
    connection.execute("INSERT INTO spots (id, p) VALUES (2, %s)", ((6, "tuple", None),))
    assert connection.execute("SELECT id FROM spots WHERE p = %s", (spot(5, "z", None),)).fetchall() == [(1,)]
    assert connection.execute("SELECT id FROM spots WHERE m = %s", ("ok",)).fetchall() == [(1,)]
    assert connection.execute("SELECT id, (p).label, kv['a'] FROM spots ORDER BY id").fetchall() == [
        (1, "z", 7),
        (2, "tuple", None),
    ]
    with pytest.raises(
        psycopg.errors.InvalidTextRepresentation, match='invalid input value for enum spot_mood: "glad"'
    ):
        connection.execute("INSERT INTO spots (id, m) VALUES (3, %s)", ("glad",))


def test_enums_and_maps(connection: psycopg.Connection) -> None:
    info = EnumInfo.fetch(connection, "spot_mood")
    assert info is not None
    assert list(info.labels) == ["sad", "ok"]
    connection.execute("INSERT INTO spots (id, m, kv) VALUES (1, 'sad', MAP {'b': 2, 'a': 1})")
    assert connection.execute("SELECT m, kv FROM spots").fetchall() == [("sad", {"a": 1, "b": 2})]
    found = connection.cursor(binary=True).execute("SELECT kv FROM spots").fetchall()
    assert found == [({"a": 1, "b": 2},)]


def test_copy_both_ways(connection: psycopg.Connection) -> None:
    with connection.cursor().copy("COPY spots (id, p, m, kv) FROM STDIN") as copy:
        copy.write_row((1, '(8,"c d",2024-01-01 00:00+00)', "ok", '{"b":2,"a":1}'))
    with connection.cursor().copy("COPY spots TO STDOUT") as copy:
        assert [bytes(row) for row in copy] == [b'1\t(8,"c d","2024-01-01 00:00:00+00")\tok\t\\N\t{"a": 1, "b": 2}\n']
    with (
        pytest.raises(psycopg.errors.InvalidTextRepresentation) as caught,
        connection.cursor().copy("COPY spots (id, p) FROM STDIN") as copy,
    ):
        copy.write_row((2, "(x,y)"))
    assert caught.value.diag.message_detail == "Too few columns."
    assert caught.value.diag.context == 'COPY spots, line 1, column p: "(x,y)"'
