"""A real Postgres as a sink."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pyarrow as pa
import pytest

from constellationdb.catalog import types
from constellationdb.connectors.api import SinkShape, SinkType
from constellationdb.connectors.postgres_sink.sink import PostgresSink, PostgresWriter
from constellationdb.errors import (
    ConnectorFailure,
    DatatypeMismatch,
    FeatureNotSupported,
    InvalidColumnReference,
    SinkFailure,
    UndefinedColumn,
)

SCHEMA = pa.schema([("id", pa.int64()), ("name", pa.string())])
Rows = list[tuple[object, ...]]


@pytest.fixture
def there(postgres: str) -> Iterator[psycopg.Connection]:
    """A connection to an empty schema, which the sinks write to."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS sunk CASCADE")
        connection.execute("CREATE SCHEMA sunk")
        yield connection
        while _writers:  # before anybody waits for their locks
            _writers.pop().close()


def sink(
    dsn: str, kind: SinkType = "append", schema: pa.Schema = SCHEMA, owner: str = "a", /, **options: str
) -> PostgresSink:
    shape = SinkShape("s", owner, kind, schema, ("id",) if kind == "upsert" else ())
    return PostgresSink(shape, {"dsn": dsn, "table": "sunk.t", "marker_table": "sunk.markers", **options})


_writers: list[PostgresWriter] = []


def opened(made: PostgresSink) -> PostgresWriter:
    writer = made.open()
    _writers.append(writer)
    writer.position()
    return writer


def rows(*given: tuple[int | None, str | None]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([{"id": i, "name": n} for i, n in given], schema=SCHEMA)


def found(there: psycopg.Connection) -> Rows:
    return list(there.execute("SELECT * FROM sunk.t ORDER BY 1, 2").fetchall())


def test_append_makes_the_table_and_leaves_its_marker(postgres: str, there: psycopg.Connection) -> None:
    writer = opened(sink(postgres))
    writer.write(rows((1, "a"), (2, None)))
    assert there.execute("SELECT to_regclass('sunk.t')").fetchone() == (None,)
    assert writer.commit(5) > 0
    writer.write(rows((3, "")))
    writer.commit(8)
    assert found(there) == [(1, "a"), (2, None), (3, "")]
    assert there.execute("SELECT sink, epoch FROM sunk.markers").fetchall() == [("s", 8)]
    assert opened(sink(postgres)).position() == 8
    writer.close()


def test_what_was_not_committed_leaves_nothing(postgres: str, there: psycopg.Connection) -> None:
    writer = opened(sink(postgres))
    writer.write(rows((1, "a")))
    writer.close()
    again = opened(sink(postgres))
    assert again.position() is None
    again.write(rows((2, "b")))
    again.commit(1)
    assert found(there) == [(2, "b")]


def test_upserts_replace_by_key_and_delete_also_where_the_key_is_null(postgres: str, there: psycopg.Connection) -> None:
    writer = opened(sink(postgres, "upsert"))
    writer.write(rows((1, "a"), (2, "b"), (None, "n")))
    writer.commit(1)
    writer.write(rows((1, "A"), (None, "N")), rows((2, None), (9, None)).select(["id"]))
    writer.commit(2)
    assert found(there) == [(1, "A"), (None, "N")]
    writer.write(rows(), rows((None, None), (1, None)).select(["id"]))
    writer.commit(3)
    assert found(there) == []


def test_a_key_that_may_be_null_only_once_is_asked_for(postgres: str, there: psycopg.Connection) -> None:
    there.execute("CREATE TABLE sunk.t (id bigint UNIQUE, name text)")
    writer = opened(sink(postgres, "upsert"))
    with pytest.raises(SinkFailure, match="NULL in the key"):
        writer.write(rows((None, "n")))


@pytest.mark.parametrize(
    ("definition", "error"),
    [
        ("id bigint, name text", InvalidColumnReference),
        ("id bigint, name text, UNIQUE (id, name)", InvalidColumnReference),
        ("id integer PRIMARY KEY, name text", DatatypeMismatch),
        ("id double precision PRIMARY KEY, name text", DatatypeMismatch),
        ("id bigint PRIMARY KEY", UndefinedColumn),
    ],
)
def test_a_table_that_does_not_fit_is_refused(
    postgres: str, there: psycopg.Connection, definition: str, error: type[Exception]
) -> None:
    there.execute(f"CREATE TABLE sunk.t ({definition})")
    with pytest.raises(error):
        sink(postgres, "upsert").check()


def test_a_partial_unique_index_is_no_key(postgres: str, there: psycopg.Connection) -> None:
    there.execute("CREATE TABLE sunk.t (id bigint, name text)")
    there.execute("CREATE UNIQUE INDEX ON sunk.t (id) WHERE name > 'a'")
    with pytest.raises(InvalidColumnReference):
        sink(postgres, "upsert").check()
    there.execute("CREATE UNIQUE INDEX ON sunk.t (id) INCLUDE (name)")
    sink(postgres, "upsert").check()


@pytest.mark.usefixtures("there")
def test_another_sink_of_the_name_is_refused(postgres: str) -> None:
    writer = opened(sink(postgres))
    writer.write(rows((1, "a")))
    writer.commit(4)
    with pytest.raises(SinkFailure, match=r'another sink "s" has written to that database, up to epoch 4'):
        sink(postgres, "append", SCHEMA, "b").check()


def test_a_second_writer_waits_and_finds_the_marker_moved(postgres: str, there: psycopg.Connection) -> None:
    first, second = opened(sink(postgres)), opened(sink(postgres))
    first.write(rows((1, "a")))
    first.commit(4)
    with pytest.raises(ConnectorFailure, match="went from None to 4"):
        second.write(rows((1, "a")))
    assert found(there) == [(1, "a")]


def test_errors_that_may_pass_are_told_from_those_that_do_not(postgres: str, there: psycopg.Connection) -> None:
    there.execute("CREATE TABLE sunk.t (id bigint CHECK (id > 0), name text)")
    writer = opened(sink(postgres))
    writer.write(rows((1, "a")))
    pid = writer._one("SELECT pg_backend_pid()")[0]
    there.execute("SELECT pg_terminate_backend(%s)", (pid,))
    with pytest.raises(ConnectorFailure):
        writer.commit(1)
    again = opened(sink(postgres))
    with pytest.raises(SinkFailure, match="violates check constraint"):
        again.write(rows((-1, "a")))
    with pytest.raises(ConnectorFailure):
        sink("host=127.0.0.1 port=1 dbname=x connect_timeout=1").check()
    assert found(there) == []


def test_the_password_is_not_told(postgres: str) -> None:
    made = sink(postgres.replace("port=", "password=geheim port=").replace("dbname=postgres", "dbname=geheim"))
    with pytest.raises(ConnectorFailure) as caught:
        made.check()
    assert "geheim" not in caught.value.message


@pytest.mark.usefixtures("there")
def test_debezium_and_missing_tables_are_refused(postgres: str) -> None:
    with pytest.raises(FeatureNotSupported):
        sink(postgres, "debezium")
    with pytest.raises(SinkFailure, match="does not exist in Postgres"):
        sink(postgres, create_table="false").check()


def test_every_type_arrives_as_it_is(postgres: str, there: psycopg.Connection) -> None:
    kinds = {
        "id": types.INTEGER, "d": types.numeric(12, 3), "n": types.numeric(), "f": types.REAL, "u": types.UUID,
        "j": types.JSONB, "b": types.BYTEA, "i": types.INTERVAL, "a": types.array_of(types.numeric()), "t": types.TIME,
    }  # fmt: skip
    schema = pa.schema([types.field_of(name, kind) for name, kind in kinds.items()])
    interval = pa.MonthDayNano([14, 3, 4_500_000_000])
    uuid = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
    values = [
        [1],
        ["1.500"],
        ["2"],
        [0.1],
        [uuid],
        ['{"a": [1, "é"]}'],
        [b"\x00\\"],
        [interval],
        [["1.5", None]],
        [1_500_000],
    ]
    columns = [
        pa.array(v).cast(f.type) if pa.types.is_decimal(f.type) or pa.types.is_time(f.type) else pa.array(v, f.type)
        for v, f in zip(values, schema, strict=True)
        if not pa.types.is_list(f.type)
    ]
    columns.insert(8, pa.array([["1.5", None]]).cast(schema.field("a").type))
    writer = opened(sink(postgres, "append", schema))
    writer.write(pa.RecordBatch.from_arrays(columns, schema=schema))
    writer.commit(1)
    names = ", ".join(f"{name}::text" for name in kinds if name != "i")
    told = there.execute(f"SELECT {names} FROM sunk.t").fetchone()
    assert told == ("1", "1.500", "2", "0.1", uuid, '{"a": [1, "é"]}', "\\x005c", "{1.5,NULL}", "00:00:01.5")
    assert there.execute("SELECT i FROM sunk.t").fetchone() == (timedelta(days=365 + 60 + 3, seconds=4.5),)
