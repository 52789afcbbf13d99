"""Replaced views: at every step a view and what reads it are the answers of their queries, whatever they were before.

Random definitions take each other's place between random changes, with the process restarted at times; the oracle is
each query over the tables. A subscriber that was there from the beginning has the view's rows at the end.
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from constellationdb.engine.engine import Engine
from constellationdb.engine.session import Session
from tests.unit.engine.statements import run

_SAME = (
    "SELECT k, sum(v)::bigint AS n FROM t GROUP BY k",
    "SELECT k, count(*) AS n FROM t WHERE v > 4 GROUP BY k",
    "SELECT k, v::bigint AS n FROM t",
    "SELECT DISTINCT k, 1::bigint AS n FROM t",
    "SELECT t.k, u.v::bigint AS n FROM t LEFT JOIN u ON t.k = u.k",
    "SELECT k, max(v)::bigint AS n FROM u GROUP BY k",
)
_OTHER = (
    *_SAME,
    "SELECT v AS more, k, id::bigint AS n FROM t",
    "SELECT count(*) AS n, k, min(v) AS less, max(id) AS more FROM t GROUP BY k",
    "SELECT sum(t.v)::bigint AS n, u.k FROM t JOIN u ON t.k = u.k GROUP BY u.k",
)
_OVER = {
    "sums": "SELECT k, count(*) AS c, sum(n)::bigint AS n FROM v GROUP BY k",
    "joined": "SELECT u.id, v.n FROM u JOIN v ON u.k = v.k",
    "few": "SELECT k, n FROM v WHERE n > 3",
}


def _rows(session: Session, query: str) -> Counter[tuple[object, ...]]:
    return Counter(run(session, query))


def _change(session: Session, rng: random.Random) -> None:
    for _ in range(rng.randrange(4)):
        table, place = rng.choice("tu"), rng.randrange(12)
        run(session, f"DELETE FROM {table} WHERE id = {place}")
        if rng.random() < 0.7:
            key = rng.choice(["NULL", "0", "1", "2"])
            run(session, f"INSERT INTO {table} VALUES ({place}, {key}, {rng.randrange(10)})")


def _check(session: Session, definition: str) -> None:
    run(session, "FLUSH")
    assert _rows(session, "SELECT * FROM v") == _rows(session, definition)
    for name, query in _OVER.items():
        over = query.replace("FROM v", f"FROM ({definition}) AS v").replace("JOIN v", f"JOIN ({definition}) AS v")
        assert _rows(session, f"SELECT * FROM {name}") == _rows(session, over), (name, definition)


def _begin(session: Session, definition: str) -> None:
    run(session, *(f"CREATE TABLE {table} (id int PRIMARY KEY, k int, v int)" for table in "tu"))
    run(session, f"CREATE MATERIALIZED VIEW v AS {definition}")
    run(session, *(f"CREATE MATERIALIZED VIEW {name} AS {query}" for name, query in _OVER.items()))


@pytest.mark.parametrize("seed", range(4))
def test_what_reads_a_view_has_its_rows_and_subscribers_its_changes(seed: int) -> None:
    rng = random.Random(seed)
    with Engine(workers=1 + seed % 2) as engine:
        session = engine.session()
        definition = rng.choice(_SAME)
        _begin(session, definition)
        subscription = engine.subscribe("v")
        seen: Counter[tuple[object, ...]] = Counter()
        for _ in range(12):
            _change(session, rng)
            if rng.random() < 0.6:
                definition = rng.choice(_SAME)
                run(session, f"CREATE OR REPLACE MATERIALIZED VIEW v AS {definition}")
            _check(session, definition)
        while (batch := subscription.next(timeout=0.0)) is not None:
            for _epoch, diff, *values in (row.values() for row in batch.to_pylist()):
                seen[tuple(values)] += diff
        assert +seen == _rows(session, definition)
        assert not -seen


@pytest.mark.parametrize("seed", range(4))
def test_columns_that_come_and_go_and_restarts(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    definition = rng.choice(_SAME)
    with Engine(tmp_path) as engine:
        _begin(engine.session(), definition)
    for _ in range(3):
        with Engine(tmp_path) as engine:
            session = engine.session()
            _check(session, definition)
            for _ in range(3):
                _change(session, rng)
                definition = rng.choice(_OTHER)
                run(session, f"CREATE OR REPLACE MATERIALIZED VIEW v AS {definition}")
                _check(session, definition)
                run(session, *(["CHECKPOINT"] if rng.random() < 0.3 else []))
