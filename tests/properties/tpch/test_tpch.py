"""All 22 queries of TPC-H as views equal DuckDB's batch answers while rows come, change and go.

``CONSTELLATION_TPCH_SCALE=0.1`` takes a larger database than the default run's hundredth,
``CONSTELLATION_TPCH_SEED=n`` deletes and updates others.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pytest

from constellationdb.embedded.database import Database, connect
from tests.properties.tpch.answers import compare_answers
from tests.properties.tpch.schema import TABLES, generate, queries

SCALE = float(os.environ.get("CONSTELLATION_TPCH_SCALE", "0.01"))
SEED = int(os.environ.get("CONSTELLATION_TPCH_SEED", "1"))
ROUNDS = 8
QUERIES = queries()
VOLATILE = ("lineitem", "orders", "customer", "partsupp", "part", "supplier")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pa.Table]:
    return generate(SCALE, tmp_path_factory.mktemp("tpch"))


@pytest.fixture(scope="module")
def db() -> Iterator[Database]:
    """A database whose views are there before the first row: all that follows reaches them as changes."""
    with connect() as database:
        for name, columns in TABLES.items():
            database.execute(f"CREATE TABLE {name} ({columns})")
        for name, text in QUERIES.items():
            database.execute(f"CREATE MATERIALIZED VIEW {name} AS {text}")
        yield database


@pytest.mark.timeout(0)
def test_every_view_is_the_batch_answer(db: Database, rows: dict[str, pa.Table]) -> None:
    """After half of the rows, after all, after deletes, and after updates and the return of what was deleted."""
    seen = set()
    for done in range(ROUNDS):
        _load(db, rows, done)
        if done in (ROUNDS // 2 - 1, ROUNDS - 1):
            seen |= _compare(db, f"after round {done + 1} of {ROUNDS}")
    assert seen == set(QUERIES), f"these answered nothing: {sorted(set(QUERIES) - seen)}"
    chosen = random.Random(SEED)
    for name in VOLATILE:
        modulus, rest = chosen.choice(((5, 1), (7, 3), (11, 4)))
        key = rows[name].column_names[0]
        db.execute(f"DELETE FROM {name} WHERE {key} % {modulus} = {rest}")
    _compare(db, f"after deletes, seed {SEED}")
    db.execute("UPDATE lineitem SET l_discount = l_discount / 2, l_quantity = l_quantity + 1 WHERE l_linenumber = 2")
    db.execute("UPDATE orders SET o_orderdate = o_orderdate + 31 WHERE o_orderkey % 3 = 0")
    db.execute("UPDATE customer SET c_mktsegment = 'BUILDING', c_acctbal = -c_acctbal WHERE c_custkey % 4 = 1")
    _compare(db, f"after updates, seed {SEED}")
    for name in VOLATILE:
        db.execute(f"DELETE FROM {name}")
    _compare(db, "when nothing is left")
    for done in range(ROUNDS):
        _load(db, rows, done)
    _compare(db, "when all is back")


def _load(db: Database, rows: dict[str, pa.Table], done: int) -> None:
    """A slice of every table; the small ones, which are never emptied, only where they are missing."""
    for name, table in rows.items():
        first, last = table.num_rows * done // ROUNDS, table.num_rows * (done + 1) // ROUNDS
        if first < last and (name in VOLATILE or _is_missing(db, name, table, first)):
            db.insert(name, table.slice(first, last - first))


def _is_missing(db: Database, name: str, table: pa.Table, first: int) -> bool:
    key = table.column(0)[first].as_py()
    return db.sql(f"SELECT 1 FROM {name} WHERE {table.column_names[0]} = {key}").fetchone() is None


def _compare(db: Database, when: str) -> set[str]:
    """Compare every view with DuckDB over the tables as they are; tell which had any value but NULL."""
    duck = duckdb.connect(config={"threads": 1})
    duck.execute("SET default_null_order = 'postgres'")
    for name in TABLES:
        duck.register(name, db.sql(f"SELECT * FROM {name}").arrow())
    answered = set()
    for name, text in QUERIES.items():
        found = db.sql(f"SELECT * FROM {name}").fetchall()
        compare_answers(f"{name} {when}", found, duck.execute(text).fetchall())
        if any(value is not None for row in found for value in row):
            answered.add(name)
    return answered
