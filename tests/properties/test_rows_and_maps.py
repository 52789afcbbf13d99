"""Views over rows, enums and maps say after every epoch what DuckDB says of its structs, enums and maps.

Rows of the table come, change and go, any number of them an epoch, with NULLs for values and inside of them; in the
middle the database is closed and opened again.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest

from constellationdb import Database, connect
from constellationdb.catalog.text.record_literals import record_fields

EPOCHS = 12
SEEDS = int(os.environ.get("CONSTELLATION_ORACLE_RUNS", "2"))
_LABELS = ("sad", "ok", "happy")
_WORDS = ("a", "b c", '"', ",", "", None)

# By name: ours and DuckDB's words where they are not the same.
VIEWS: dict[str, tuple[str, str]] = {
    "grouped": ("SELECT p, count(*) AS n, sum(id) AS ids FROM t GROUP BY p", ""),
    "distinct_rows": ("SELECT DISTINCT ROW((p).x, e) AS r FROM t", "SELECT DISTINCT row(p.x, e::text) AS r FROM t"),
    "joined": ("SELECT a.id, b.id AS other FROM t a JOIN t b ON a.p = b.p AND a.id < b.id", ""),
    "missing": ("SELECT a.id, b.p FROM t a LEFT JOIN t b ON a.p = b.p AND b.id > a.id", ""),
    "before": ("SELECT a.id, b.id AS other FROM t a JOIN t b ON a.e < b.e", ""),
    "least_first": ("SELECT id, p FROM t ORDER BY p, id LIMIT 4", ""),
    "extremes": (
        "SELECT (p).x AS x, min(e) AS low, max(e) AS high FROM t GROUP BY (p).x",
        "SELECT p.x, min(e), max(e) FROM t GROUP BY p.x",
    ),
    "by_map": ("SELECT m, count(*) AS n FROM t GROUP BY m", ""),
    "of_maps": ("SELECT id, m['a'] AS a, cardinality(m) AS n FROM t WHERE m['b'] > 1 OR m['a'] IS NULL", ""),
    "entries": (
        "SELECT t.id, e.key, e.value FROM t, unnest(map_entries(t.m)) AS e",
        "SELECT id, u.e.key, u.e.value FROM t, unnest(map_entries(t.m)) AS u(e)",
    ),
}


def _value(random: Random) -> tuple[Any, ...]:
    p = None if random.random() < 0.15 else (random.choice((None, 1, 2, 10)), random.choice(_WORDS))
    keys = sorted(random.sample(["a", "b", "c d", "é"], random.randint(0, 3)))
    m = None if random.random() < 0.15 else {key: random.choice((None, 1, 2, 3)) for key in keys}
    return p, random.choice((*_LABELS, None)), m


def _ours(p: Any, e: Any, m: Any) -> str:
    row = "NULL" if p is None else f"ROW({_literal(p[0])}, {_literal(p[1])})::pt"
    pairs = "NULL" if m is None else f"{_literal(json.dumps(m))}::map(text, int)"
    return f"{row}, {_literal(e)}, {pairs}"


def _theirs(p: Any, e: Any, m: Any) -> str:
    row = "NULL" if p is None else f"{{'x': {_literal(p[0])}, 'label': {_literal(p[1])}}}::pt"
    pairs = "NULL" if m is None else f"MAP {{{', '.join(f'{_literal(k)}: {_literal(v)}' for k, v in m.items())}}}"
    return f"{row}, {_literal(e)}, {pairs}"


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)


def _changes(random: Random, rows: dict[int, Any], epoch: int) -> Iterator[tuple[str, str]]:
    """Statements for us and for DuckDB."""
    for number in range(random.randint(1, 6)):
        key = random.choice([*rows]) if rows and random.random() < 0.6 else epoch * 100 + number
        if key in rows and random.random() < 0.4:
            del rows[key]
            yield f"DELETE FROM t WHERE id = {key}", f"DELETE FROM t WHERE id = {key}"
            continue
        if key in rows:
            yield f"DELETE FROM t WHERE id = {key}", f"DELETE FROM t WHERE id = {key}"
        rows[key] = value = _value(random)
        yield f"INSERT INTO t VALUES ({key}, {_ours(*value)})", f"INSERT INTO t VALUES ({key}, {_theirs(*value)})"


def _shown(value: Any) -> Any:
    """A value of either of the two as the same."""
    match value:
        case dict() if set(value) == {"x", "label"}:
            return (value["x"], value["label"])
        case dict():
            return tuple(sorted(value.items(), key=lambda pair: str(pair[0])))
        case tuple():
            return tuple(map(_shown, value))
        case str() if value.startswith("("):
            first, second = record_fields(value)
            return (None if first is None else int(first), second)
        case str() if value.startswith("{"):
            return tuple(sorted(json.loads(value).items(), key=lambda pair: str(pair[0])))
        case _:
            return value


def _bag(rows: list[tuple[Any, ...]]) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(map(_shown, row)) for row in rows)


def _define(db: Database, other: duckdb.DuckDBPyConnection) -> None:
    db.execute("CREATE TYPE pt AS (x int, label text)")
    db.execute("CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')")
    db.execute("CREATE TABLE t (id int PRIMARY KEY, p pt, e mood, m map(text, int))")
    for name, (query, _) in VIEWS.items():
        db.execute(f"CREATE MATERIALIZED VIEW {name} AS {query}")
    other.execute("CREATE TYPE pt AS STRUCT(x int, label varchar)")
    other.execute("CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')")
    other.execute("CREATE TABLE t (id int, p pt, e mood, m MAP(varchar, int))")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_views_say_what_duckdb_says(seed: int, tmp_path: Path) -> None:
    random, rows = Random(seed), dict[int, Any]()
    db, other = connect(tmp_path / "db"), duckdb.connect()
    _define(db, other)
    for epoch in range(EPOCHS):
        with db.transaction():
            for ours, theirs in _changes(random, rows, epoch):
                db.execute(ours)
                other.execute(theirs)
        if epoch == EPOCHS // 2:
            db.close()
            db = connect(tmp_path / "db")
        for name, (query, theirs) in VIEWS.items():
            expected = other.execute(theirs or query).fetchall()
            assert _bag(db.sql(f"SELECT * FROM {name}").fetchall()) == _bag(expected), (seed, epoch, name)
    db.close()
