"""ADBC's Postgres driver, alone and under Polars: rows in and out by binary COPY."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import psycopg
import pyarrow as pa
import pytest
import sqlalchemy as sa

from tests.clients.conftest import Served

ROWS = pa.table(
    {
        "k": pa.array([1, 2, None], pa.int64()),
        "i": pa.array([1, -2, 3], pa.int32()),
        "f": pa.array([0.5, None, -1e300]),
        "t": pa.array(["a", "it's é", None]),
        "y": pa.array([True, False, None]),
        "d": pa.array([date(2024, 2, 29), None, date(1970, 1, 1)]),
        "ts": pa.array([datetime(2024, 1, 1, 1, 2, 3, 4), None, datetime(1999, 12, 31)], pa.timestamp("us")),
        "tz": pa.array([datetime(2024, 1, 1, tzinfo=UTC), None, None], pa.timestamp("us", "UTC")),
        "b": pa.array([b"\x00\xff", b"", None]),
    }
)


@pytest.fixture
def url(served: Served) -> str:
    return served.url()


def test_ingest_and_read_back(url: str) -> None:
    with adbc.connect(url) as connection, connection.cursor() as cursor:
        assert cursor.adbc_ingest("ingested", ROWS, mode="create") == 3
        connection.commit()
        cursor.execute("SELECT * FROM ingested ORDER BY i")
        found = cursor.fetch_arrow_table()
    assert found.to_pylist() == ROWS.sort_by("i").to_pylist()


def test_polars_writes_and_reads(url: str) -> None:
    frame = pl.DataFrame({"id": range(5000), "name": [f"row {n}" for n in range(5000)]})
    frame.write_database("polared", url, engine="adbc", if_table_exists="replace")
    found = pl.read_database_uri("SELECT * FROM polared ORDER BY id", url, engine="adbc")
    assert found.equals(frame)


def test_objects(url: str) -> None:
    with adbc.connect(url, autocommit=True) as connection:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE adbc_objects (id int PRIMARY KEY, name text)")
        found = connection.adbc_get_objects(
            depth="all", catalog_filter="constellation", db_schema_filter="public", table_name_filter="adbc_objects"
        ).read_all()
        (schema,) = (s for c in found.to_pylist() for s in c["catalog_db_schemas"] or () if s["db_schema_tables"])
        (table,) = schema["db_schema_tables"]
        assert (table["table_name"], table["table_type"]) == ("adbc_objects", "table")
        assert [column["column_name"] for column in table["table_columns"]] == ["id", "name"]
        assert [c["constraint_column_names"] for c in table["table_constraints"]] == [["id"]]
        assert {"table", "view", "materialized_view"} <= set(connection.adbc_get_table_types())
        assert connection.adbc_get_table_schema("adbc_objects").names == ["id", "name"]


def test_a_transaction_an_error_and_on(url: str) -> None:
    with adbc.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE adbc_rows (n int PRIMARY KEY, t text)")
        connection.commit()
        cursor.executemany("INSERT INTO adbc_rows VALUES ($1, $2)", [(1, "a"), (2, None)])
        connection.rollback()
        cursor.executemany("INSERT INTO adbc_rows VALUES ($1, $2)", [(3, "c"), (4, "d")])
        with pytest.raises(adbc.ProgrammingError, match="adbc_nowhere"):
            cursor.execute("SELECT * FROM adbc_nowhere")
        connection.rollback()
        cursor.executemany("INSERT INTO adbc_rows VALUES ($1, $2)", [(5, "e")])
        connection.commit()
        cursor.execute("SELECT n, t FROM adbc_rows WHERE n > $1", (1,))
        assert cursor.fetchall() == [(5, "e")]


def test_a_stream_of_batches(url: str) -> None:
    with adbc.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT n FROM generate_series(1, 100000) AS g(n)")
        batches = [batch.num_rows for batch in cursor.fetch_record_batch()]
    assert sum(batches) == 100_000


def test_polars_reads_through_a_connection(served: Served, url: str) -> None:
    query = "SELECT 1 AS n, 'x' AS t, 1.5::numeric(4,2) AS m, NULL::int AS z"
    row = {"n": 1, "t": "x", "m": Decimal("1.50"), "z": None}
    with psycopg.connect(served.dsn) as connection:
        assert pl.read_database(query, connection).to_dicts() == [row]
    engine = sa.create_engine(served.url("postgresql+psycopg"))
    assert pl.read_database(query, engine).to_dicts() == [row]
    batches = pl.read_database(
        "SELECT n FROM generate_series(1, 100) AS g(n)", engine, iter_batches=True, batch_size=30
    )
    assert [batch.height for batch in batches] == [30, 30, 30, 10]
    engine.dispose()
    with adbc.connect(url) as connection:
        assert pl.read_database("SELECT 1 AS n, 'x' AS t", connection).to_dicts() == [{"n": 1, "t": "x"}]
