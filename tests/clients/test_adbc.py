"""ADBC's Postgres driver, alone and under Polars: rows in and out by binary COPY."""

from __future__ import annotations

from datetime import UTC, date, datetime

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import pyarrow as pa
import pytest

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
    return f"postgresql://tester@{served.host}:{served.port}/constellation"


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
