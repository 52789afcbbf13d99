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


def test_an_aggregate_is_told_of_by_its_parts() -> None:
    with Engine(workers=3) as engine:
        session = engine.session()
        run(session, "CREATE TABLE t (k int, v int)")
        run(session, "CREATE MATERIALIZED VIEW g AS SELECT count(*) AS n, sum(v) AS s, min(k) AS m FROM t")
        query = (
            "SELECT aggregate, value, partitions_reporting, partitions_total, is_complete, staleness_ms"
            " FROM constellation.aggregates WHERE view = 'g'"
        )
        parts = (3, 3, True, 0)
        assert run(session, query) == [
            ("count(*)", "0", *parts), ("sum(v::bigint)", None, *parts), ("min(k)", None, *parts),
        ]  # fmt: skip
        run(session, "INSERT INTO t SELECT i % 7, i FROM generate_series(1, 15000) AS i", "DELETE FROM t WHERE v < 5")
        run(session, "FLUSH")
        assert run(session, query) == [
            ("count(*)", "14996", *parts), ("sum(v::bigint)", "112507490", *parts), ("min(k)", "0", *parts),
        ]  # fmt: skip
        sent = "SELECT rows_in > 15000 AS i, rows_out < 100 AS o FROM constellation.operators"
        assert run(session, f"{sent} WHERE name = 'g' AND kind = 'Partial aggregate'") == [(True, True)]
        assert run(session, "SELECT count(*) FROM constellation.aggregates AS a, constellation.epochs AS e "
                            "WHERE a.epoch = e.epoch") == [(3,)]  # fmt: skip
