"""``constellation.state`` and ``constellation.workers``: where the rows of operators are, and who works on them."""

from __future__ import annotations

from itertools import pairwise

from constellationdb.engine.engine import Engine
from constellationdb.engine.exchange import owned
from tests.unit.engine.statements import run


def test_state_is_told_by_vnodes() -> None:
    with Engine(workers=3) as engine:
        session = engine.session()
        run(session, "CREATE TABLE t (k int, v int)", "CREATE MATERIALIZED VIEW a AS SELECT v AS one FROM t")
        run(session, "CREATE MATERIALIZED VIEW g AS SELECT k, sum(v) AS v FROM t GROUP BY k")
        run(session, "INSERT INTO t SELECT i, i FROM generate_series(1, 300) AS i", "FLUSH")
        found = run(session, "SELECT view, kind, vnodes, rows FROM constellation.state WHERE rows > 0")
        assert [row[:3] for row in found] == [("g", "Aggregate", v) for v in ("0-85", "86-170", "171-255")]
        assert sum(int(str(row[3])) for row in found) == 300
        assert run(session, "SELECT count(*) FROM constellation.state WHERE view = 'a' AND rows > 0") == [(0,)]


def test_vnodes_are_dealt_whole() -> None:
    for workers in (1, 2, 3, 7, 256):
        edges = [owned(worker, workers) for worker in range(workers)]
        assert edges[0][0] == 0
        assert edges[-1][1] == 255
        assert all(before[1] + 1 == after[0] for before, after in pairwise(edges))


def test_workers_count_their_work() -> None:
    with Engine() as engine:
        session = engine.session()
        query = (
            "SELECT name, kind, jobs, steps > 0 AS a, busy_ms > 0 AS b, busy_share > 0 AS c FROM constellation.workers"
        )
        assert run(session, query) == [
            ("worker", "thread", 0, False, False, False),
            ("first answers", "thread", 0, False, False, False),
        ]
        run(session, "CREATE TABLE t (k int)", "CREATE MATERIALIZED VIEW n AS SELECT count(*) AS n FROM t")
        run(session, "INSERT INTO t VALUES (1)", "FLUSH")
        assert run(session, query) == [
            ("worker", "thread", 1, True, True, True),
            ("first answers", "thread", 0, True, True, True),
        ]
