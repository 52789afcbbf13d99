"""The Postgres lookup beyond its answers: what it sends, and how it fails."""

import threading
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal

import psycopg
import pyarrow as pa
import pytest

from constellationdb.connectors.api import LookupPredicate
from constellationdb.connectors.postgres_lookup import PostgresLookup, open_postgres
from constellationdb.connectors.postgres_pool import PostgresPool
from constellationdb.errors import ConnectorFailure, InvalidParameter, UndefinedColumn
from tests.postgres_fixture import free_port
from tests.unit.connectors import lookup_cases as cases

TYPES = pa.schema(
    [
        ("id", pa.string()),
        ("day", pa.date32()),
        ("stamp", pa.timestamp("us", "UTC")),
        ("raw", pa.binary()),
        ("small", pa.float32()),
        ("exact", pa.decimal128(12, 2)),
        ("doc", pa.string()),
    ]
)


def test_the_query_has_parameters_and_quoted_names(parts: PostgresLookup) -> None:
    predicates = [
        LookupPredicate("qty", ">", (pa.scalar(1),)),
        LookupPredicate("name", "<", (pa.scalar("x"),)),
        LookupPredicate("price", "in", (pa.scalar(Decimal("1.5")), pa.scalar(2))),
        LookupPredicate("open", "is not null"),
    ]
    parts.check()
    assert parts.describe(["qty"], predicates) == (
        'postgres SELECT t."id"::bigint, t."part"::character varying, t."qty"::integer'
        ' FROM "my ""schema%"."parts $1" AS t JOIN unnest($1::bigint[], $2::text[]) AS k(k0, k1)'
        ' ON t."id" = k.k0 AND t."part" = k.k1'
        ' WHERE t."qty" > $3::bigint AND t."name" COLLATE "C" < $4::text'
        ' AND (t."price"::numeric(12,2) = ANY($5::numeric[]) OR t."price"::numeric(12,2) = ANY($6::bigint[]))'
        ' AND t."open" IS NOT NULL'
    ).replace("character varying", "text")


def test_nothing_is_asked_before_the_first_fetch_and_keys_go_in_one_query(parts: PostgresLookup) -> None:
    assert parts.describe(["qty"], []).startswith("postgres SELECT")
    assert parts.stats.queries == 0
    parts.check()
    before = parts.stats
    assert parts.fetch(cases.single_keys(1, 2, 3, 99), ["qty"], []).num_rows == 3
    assert (parts.stats.queries - before.queries, parts.stats.rows - before.rows) == (1, 3)
    assert parts.fetch(cases.single_keys(), ["qty"], []).num_rows == 0
    assert parts.stats.queries - before.queries == 1


def test_an_index_serves_the_keys(parts_dsn: str) -> None:
    """The key column is compared bare, although declared wider than it is there."""
    with psycopg.connect(parts_dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS served (id integer PRIMARY KEY, v varchar(9))")
        lookup = open_postgres(
            pa.schema([("id", pa.int64()), ("v", pa.string())]), ["id"], {"dsn": parts_dsn, "table": "served"}
        )
        lookup.check()
        sql = lookup.describe(["v"], []).removeprefix("postgres ").replace("$1", "'{1,2}'")
        connection.execute("SET enable_seqscan = off")
        plan = "\n".join(row[0] for row in connection.execute("EXPLAIN " + sql).fetchall())
        lookup.close()
    assert "served_pkey" in plan


def test_types_come_as_declared(parts_dsn: str) -> None:
    with psycopg.connect(parts_dsn, autocommit=True) as connection:
        connection.execute(
            "DROP TABLE IF EXISTS kinds; CREATE TABLE kinds"
            " (id uuid, day date, stamp timestamptz, raw bytea, small real, exact numeric, doc jsonb);"
            " INSERT INTO kinds VALUES ('00000000-0000-0000-0000-000000000001', '2024-02-29',"
            " '2024-01-01 12:00+02', '\\x00ff', 0.1, 1.005, '{\"a\": 1}')"
        )
    lookup = open_postgres(TYPES, ["id"], {"dsn": parts_dsn, "table": "kinds"})
    keys = pa.record_batch({"id": ["00000000-0000-0000-0000-000000000001", "no uuid", "nul \0"]})
    (row,) = lookup.fetch(keys, TYPES.names, []).to_pylist()
    lookup.close()
    small = row.pop("small")
    assert small == pytest.approx(0.1, rel=1e-6)
    assert row.pop("stamp").astimezone(UTC).replace(tzinfo=None) == datetime(2024, 1, 1, 10)
    assert row == {
        "id": "00000000-0000-0000-0000-000000000001",
        "day": date(2024, 2, 29),
        "raw": b"\x00\xff",
        "exact": Decimal("1.01"),
        "doc": '{"a": 1}',
    }


def test_many_threads_share_few_connections(parts_dsn: str) -> None:
    from tests.unit.connectors.conftest import OPTIONS

    lookup = open_postgres(cases.SCHEMA, ["id"], {"dsn": parts_dsn, **OPTIONS, "pool_size": "2"})
    answers: list[int] = []

    def ask(start: int) -> None:
        for key in range(start, start + 5):
            answers.append(lookup.fetch(cases.single_keys(key), ["qty"], []).column("id").to_pylist()[0])

    threads = [threading.Thread(target=ask, args=(start,)) for start in range(0, 40, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with psycopg.connect(parts_dsn) as connection:
        count = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'constellation'")
        row = count.fetchone()
    lookup.close()
    assert sorted(answers) == list(range(40))
    assert row is not None
    assert 1 <= row[0] <= 2


def test_what_is_not_there_is_named(parts_dsn: str) -> None:
    wrong = pa.schema([("id", pa.int64()), ("colour", pa.string())])
    with psycopg.connect(parts_dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS served (id integer PRIMARY KEY, v varchar(9))")
    served = open_postgres(wrong, ["id"], {"dsn": parts_dsn, "table": "served"})
    with closing(served), pytest.raises(UndefinedColumn, match='table "served" in Postgres has no column "colour"'):
        served.check()
    nowhere = open_postgres(wrong, ["id"], {"dsn": parts_dsn, "table": "public.nowhere"})
    with closing(nowhere), pytest.raises(ConnectorFailure, match=r'table "public"\."nowhere" does not exist'):
        nowhere.check()


def test_a_value_that_does_not_fit_is_a_failure_not_a_null(parts_dsn: str) -> None:
    with psycopg.connect(parts_dsn, autocommit=True) as connection:
        connection.execute(
            "DROP TABLE IF EXISTS odd; CREATE TABLE odd (id int, n numeric); INSERT INTO odd VALUES (1, 'NaN')"
        )
    lookup = open_postgres(
        pa.schema([("id", pa.int64()), ("n", pa.decimal128(12, 2))]), ["id"], {"dsn": parts_dsn, "table": "odd"}
    )
    with pytest.raises(ConnectorFailure, match='a value of "odd" in Postgres does not fit'):
        lookup.fetch(cases.single_keys(1), ["n"], [])
    lookup.close()


def test_a_slow_query_times_out(parts_dsn: str) -> None:
    pool = PostgresPool(parts_dsn, None, 1, 50_000)
    with pytest.raises(ConnectorFailure, match=r"timed out after 0\.05 s") as caught:
        pool.query("SELECT pg_sleep(20)", [])
    assert caught.value.hint == 'raise option "statement_timeout", or give the key columns an index'
    assert pool.query("SELECT $1::int", [7]) == [(7,)]
    assert pool.stats.retries == 0
    pool.close()


def test_a_lost_connection_is_tried_again(parts_dsn: str) -> None:
    waits: list[float] = []
    pool = PostgresPool(parts_dsn, None, 1, 5_000_000, waits.append)
    ((backend,),) = pool.query("SELECT pg_backend_pid()", [])
    with psycopg.connect(parts_dsn, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])
    ((other,),) = pool.query("SELECT pg_backend_pid()", [])
    assert other != backend
    assert waits == [0.1]
    assert pool.stats.retries == 1
    pool.close()


def test_a_server_that_is_down_is_retried_and_then_named_without_the_password() -> None:
    waits: list[float] = []
    dsn = f"host=127.0.0.1 port={free_port()} user=u password=hunter2 dbname=d connect_timeout=2"
    pool = PostgresPool(dsn, "hunter2", 1, 1_000_000, waits.append)
    with pytest.raises(ConnectorFailure, match="lookup in Postgres failed") as caught:
        pool.query("SELECT 1", [])
    assert waits == [0.1, 0.2, 0.4]
    assert "hunter2" not in f"{caught.value.message}{caught.value.detail}{caught.value.hint}"
    assert caught.value.__suppress_context__


def test_what_waiting_does_not_mend_is_not_retried(parts_dsn: str) -> None:
    waits: list[float] = []
    pool = PostgresPool(parts_dsn + " dbname=nowhere", None, 1, 1_000_000, waits.append)
    with pytest.raises(ConnectorFailure, match='database "nowhere" does not exist'):
        pool.query("SELECT 1", [])
    good = PostgresPool(parts_dsn, "syntax", 1, 1_000_000, waits.append)
    with pytest.raises(ConnectorFailure, match=r"\*\*\* error at or near"):
        good.query("SELEKT 1", [])
    with pytest.raises(ConnectorFailure, match="read-only transaction"):
        good.query("CREATE TABLE nothing (i int)", [])
    good.close()
    assert waits == []


@pytest.mark.parametrize("dsn", ["host=x passwort=hunter2", "hunter2", "host=x password='hunter2"])
def test_a_bad_dsn_is_not_repeated(dsn: str) -> None:
    with pytest.raises(InvalidParameter, match='invalid value for option "dsn"') as caught:
        open_postgres(cases.SCHEMA, ["id"], {"dsn": dsn, "table": "t"})
    assert "hunter2" not in f"{caught.value.message}{caught.value.detail}{caught.value.hint}"
