"""Views on worker processes: through SQL, checkpoints, restarts, failures and the death of a worker."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from constellationdb.engine import batch as zset
from constellationdb.engine.engine import Engine
from constellationdb.engine.graph import Input
from constellationdb.engine.processes.remote import RemoteGraph
from constellationdb.engine.session import Session
from constellationdb.errors import InternalError
from tests.unit.engine.statements import run

_TABLES = ("CREATE TABLE t (k int, v int)", "CREATE TABLE names (k int PRIMARY KEY, name text)")
_VIEWS = {
    "sums": "SELECT k, count(*) AS n, sum(v) AS v FROM t GROUP BY k",
    "named": "SELECT name, max(v) AS most FROM t JOIN names USING (k) GROUP BY name",
    "highest": "SELECT k, v, r FROM (SELECT k, v, row_number() OVER (PARTITION BY k ORDER BY v DESC) AS r FROM t) s"
    " WHERE r <= 2",
    "total": "SELECT sum(n) AS n FROM sums",
}


def _create(session: Session) -> None:
    run(session, *_TABLES, *(f"CREATE MATERIALIZED VIEW {name} AS {query}" for name, query in _VIEWS.items()))


def _change(session: Session, first: int) -> None:
    run(session, f"INSERT INTO t SELECT i % 37, i FROM generate_series({first}, {first + 199}) AS i")
    run(session, f"INSERT INTO names SELECT i, 'n' || i % 5 FROM generate_series({first} % 37, {first} % 37) AS i"
        " ON CONFLICT DO NOTHING")  # fmt: skip
    run(session, f"DELETE FROM t WHERE v % 3 = 0 AND v < {first + 100}")
    run(session, f"UPDATE t SET k = k + 1 WHERE v = {first + 1}")


def _check(session: Session, *views: str) -> None:
    run(session, "WAIT")
    for name in views or _VIEWS:
        assert sorted(run(session, f"SELECT * FROM {name}")) == sorted(run(session, _VIEWS[name])), name


def _kill(engine: Engine, worker: int) -> None:
    assert engine.pool is not None
    engine.pool.processes[worker].popen.kill()


def test_through_checkpoints_losses_and_restarts(tmp_path: Path) -> None:
    with Engine(tmp_path, workers=2, processes=True) as engine:
        session = engine.session()
        _create(session)
        assert {name for name, job in engine.jobs.items() if isinstance(job.graph, RemoteGraph)} >= {"sums", "named"}
        _change(session, 1)
        _check(session)
        run(session, "CHECKPOINT")
        _change(session, 300)
        _kill(engine, 1)
        _change(session, 600)
        _check(session)
        run(session, "CHECKPOINT")  # changes since the first one, of state that was set up anew in between
        _change(session, 900)
        _check(session)
        assert engine.pool is not None
        assert engine.pool.lost == 1
        sent = "SELECT bool_and(messages_sent > 0) AS a, count(*) FROM constellation.channels"
        assert run(session, sent) == [(True, 6)]
        workers = (
            "SELECT name, jobs > 1 AS a, steps > 0 AS b, pid > 0 AS c FROM constellation.workers WHERE kind = 'process'"
        )
        assert run(session, workers) == [("worker 0", True, True, True), ("worker 1", True, True, True)]
        found = run(session, "SELECT sum(rows), count(DISTINCT vnodes) FROM constellation.state WHERE view = 'sums'")
        assert found[0][1] == 2
    with Engine(tmp_path, workers=1) as engine:  # the state stays shared by two, wherever they run
        session = engine.session()
        assert engine.jobs["sums"].graph.workers == 2
        _check(session)
        _change(session, 1200)
        _check(session)


def test_a_graph_that_fails_is_the_only_one() -> None:
    with Engine(workers=2, processes=True) as engine:
        session = engine.session()
        _create(session)
        _change(session, 1)
        _check(session)
        never_there = zset.with_weights(pa.record_batch({"k": pa.array([5], pa.int32()), "v": [-5]}), -1)
        with pytest.raises(InternalError, match="-1 times"):  # one worker fails; the other would wait for its rows
            engine.jobs["named"].graph.run(engine.epoch + 1, {"t": Input(never_there)})
        run(session, "DROP MATERIALIZED VIEW named")
        _change(session, 300)
        _check(session, *(name for name in _VIEWS if name != "named"))
