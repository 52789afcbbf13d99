"""Every Nexmark query that has a batch answer has it after every part of the streams."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from bench.streams import build, side_table
from constellationdb.embedded.database import Database, connect
from tests.properties.tpch.answers import compare_answers

EVENTS = int(os.environ.get("CONSTELLATION_NEXMARK_EVENTS", "20000"))
ROUNDS = 4
QUERIES = {path.stem: path.read_text() for path in sorted((Path(__file__).parent / "queries").glob("q??.sql"))}
SOURCES = {
    "bid": "auction bigint, bidder bigint, price bigint, channel text, url text, date_time timestamp, extra text",
    "auction": """id bigint, item_name text, description text, initial_bid bigint, reserve bigint,
        date_time timestamp, expires timestamp, seller bigint, category bigint, extra text""",
    "person": """id bigint, name text, email_address text, credit_card text, city text, state text,
        date_time timestamp, extra text""",
}


@pytest.fixture(scope="module")
def streams() -> dict[str, pa.Table]:
    return {name: pa.Table.from_batches(build(name, EVENTS)) for name in SOURCES}


@pytest.fixture(scope="module")
def db() -> Iterator[Database]:
    with connect() as database:
        for name, columns in SOURCES.items():
            database.execute(
                f"CREATE SOURCE {name} ({columns}, WATERMARK FOR date_time AS date_time - INTERVAL '1 second')"
            )
        database.execute("CREATE TABLE side (key bigint PRIMARY KEY, value text)")
        database.insert("side", side_table(1000))
        for name, text in QUERIES.items():
            database.execute(f"CREATE MATERIALIZED VIEW {name} AS {text}")
        yield database


def batch_text(name: str) -> str:
    other = Path(__file__).parent / "queries" / f"{name}.duckdb.sql"
    return other.read_text() if other.exists() else QUERIES[name]


@pytest.mark.timeout(0)
def test_every_view_is_the_batch_answer(db: Database, streams: dict[str, pa.Table]) -> None:
    for done in range(1, ROUNDS + 1):
        duck = duckdb.connect(config={"threads": 1})
        duck.execute("SET default_null_order = 'postgres'")
        duck.register("side", side_table(1000))
        for name, table in streams.items():
            first, last = table.num_rows * (done - 1) // ROUNDS, table.num_rows * done // ROUNDS
            db.insert(name, table.slice(first, last - first))
            duck.register(name, table.slice(0, last))
        db.execute("FLUSH")
        for name in QUERIES:
            found = db.sql(f"SELECT * FROM {name}").fetchall()
            assert found, f"{name} answers nothing in round {done}"
            compare_answers(f"{name} after round {done}", found, duck.execute(batch_text(name)).fetchall())
