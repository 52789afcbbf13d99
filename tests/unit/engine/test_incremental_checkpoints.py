"""A checkpoint writes what changed since the one before, beside the running epochs, and all of it comes back."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from threading import Thread
from time import sleep

import pytest

from constellationdb.engine.engine import Engine
from constellationdb.engine.job import Job
from constellationdb.engine.session import Session
from tests.unit.engine.statements import run

_VIEWS = {
    "total": "SELECT k % 3 AS g, count(*) AS n, sum(v) AS s FROM t GROUP BY k % 3",
    "joined": "SELECT t.k, t.v, u.w FROM t LEFT JOIN u ON u.v = t.v",
    "above": "SELECT w, max(k) AS k, min(v) AS v, count(*) AS n FROM joined GROUP BY w",
    "first": "SELECT * FROM (SELECT k, v, row_number() OVER (PARTITION BY v ORDER BY k) AS r FROM t) AS x WHERE r < 3",
    "grown": "SELECT a, a * 2 AS b FROM added WHERE a % 2 = 0",
}


def _define(session: Session) -> None:
    run(session, "CREATE TABLE t (k int PRIMARY KEY, v int)", "CREATE TABLE u (v int, w text)")
    run(session, "CREATE SOURCE added (a int)")
    for name, query in _VIEWS.items():
        run(session, f"CREATE MATERIALIZED VIEW {name} AS {query}")


def _change(session: Session, draw: Random) -> None:
    k, v = draw.randrange(60), draw.randrange(12)
    statements = [
        f"INSERT INTO t VALUES ({k}, {v}) ON CONFLICT (k) DO UPDATE SET v = excluded.v",
        f"INSERT INTO t SELECT i, i % 7 FROM generate_series({k}, {k + 9}) AS i ON CONFLICT (k) DO NOTHING",
        f"UPDATE t SET v = v + 1 WHERE k % 10 = {k % 10}",
        f"DELETE FROM t WHERE k < {k} AND v = {v}",
        f"INSERT INTO u VALUES ({v}, '{draw.choice('abc')}')",
        f"DELETE FROM u WHERE v = {v}",
        f"INSERT INTO added VALUES ({k}), ({v})",
    ]
    run(session, draw.choice(statements))


def _right(session: Session) -> bool:
    run(session, "FLUSH")
    for name, query in _VIEWS.items():
        if name != "grown":
            rows = run(session, f"SELECT * FROM ({query}) AS q")
            assert sorted(run(session, f"SELECT * FROM {name}"), key=str) == sorted(rows, key=str), name
    return True


@pytest.mark.parametrize("seed", range(3))
def test_what_comes_back_is_what_was_there(tmp_path: Path, seed: int) -> None:
    """Checkpoints at any time, further changes or none after it, a crash, and so on from there."""
    draw = Random(seed)
    grown: list[tuple[object, ...]] = []
    at = tmp_path / "0"
    for life in range(5):
        with Engine(at) as engine:
            session = engine.session()
            if life == 0:
                _define(session)
            assert _right(session)
            assert run(session, "SELECT * FROM grown ORDER BY a") == grown
            for _ in range(draw.randrange(8)):
                for _ in range(draw.randrange(6)):
                    _change(session, draw)
                engine.durability.checkpoint()
            for _ in range(draw.randrange(3)):
                _change(session, draw)
            run(session, "FLUSH")
            grown = run(session, "SELECT * FROM grown ORDER BY a")
            at = tmp_path / str(life + 1)
            shutil.copytree(tmp_path / str(life), at)


def test_what_is_written_goes_with_what_changed(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine:
        session = engine.session()
        run(session, "CREATE TABLE t (k int PRIMARY KEY, v text)")
        run(session, "CREATE MATERIALIZED VIEW m AS SELECT k + 1 AS k, v || '!' AS v FROM t")
        run(session, "INSERT INTO t SELECT i, 'text ' || i FROM generate_series(1, 50000) AS i", "FLUSH")
        sizes = [_checkpoint(engine)]
        for step in range(13):
            run(session, f"UPDATE t SET v = 'again' WHERE k BETWEEN {step * 10} AND {step * 10 + 9}", "FLUSH")
            sizes.append(_checkpoint(engine))
        small = [size < sizes[0] / 50 for size in sizes]
        assert small == [False, *[True] * 10, False, True, True]  # ten changes, then all rows again
    with Engine(tmp_path) as engine:
        session = engine.session()
        assert run(session, "SELECT count(*), count(DISTINCT v) AS d FROM t") == [(50000, 50000 - 129 + 1)]
        assert run(session, "SELECT count(*) FROM m WHERE v = 'again!'") == [(129,)]
        run(session, "UPDATE t SET v = 'once more' WHERE k = 7", "FLUSH")
        assert _checkpoint(engine) < sizes[0] / 50  # a restart is no reason to write it all


def _checkpoint(engine: Engine) -> int:
    assert engine.durability.checkpoint() is not None
    assert engine.durability.last is not None
    return engine.durability.last[2]


def test_a_table_of_the_same_name_is_another_one(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine:
        session = engine.session()
        for value in (1, 2):
            run(session, "DROP TABLE IF EXISTS t CASCADE", "CREATE TABLE t (a int)")
            run(session, "CREATE MATERIALIZED VIEW m AS SELECT sum(a) AS s FROM t")
            run(session, f"INSERT INTO t VALUES ({value})", "FLUSH")
            assert engine.durability.checkpoint() is not None
    with Engine(tmp_path) as engine:
        session = engine.session()
        assert run(session, "SELECT a FROM t") == run(session, "SELECT s FROM m") == [(2,)]


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str | None], None]]:
    """Let the job of this name take no step."""
    runnable = Job.runnable
    standing: list[str | None] = [None]
    monkeypatch.setattr(Job, "runnable", lambda job: job.name != standing[0] and runnable(job))

    def stands(name: str | None) -> None:
        standing[0] = name

    yield stands
    standing[0] = None


def _until_cut(engine: Engine) -> None:
    while not engine.pins:
        sleep(0.01)


def test_epochs_go_on_while_a_view_comes_to_the_cut(tmp_path: Path, stand: Callable[[str | None], None]) -> None:
    with Engine(tmp_path) as engine:
        session = engine.session()
        run(session, "CREATE TABLE t (a int)")
        for name in ("quick", "slow"):
            run(session, f"CREATE MATERIALIZED VIEW {name} AS SELECT sum(a)::int AS s FROM t")
        stand("slow")
        run(session, "INSERT INTO t VALUES (1)")
        cut = engine.epoch
        taken: list[int | None] = []
        taking = Thread(target=lambda: taken.append(engine.durability.checkpoint()))
        taking.start()
        _until_cut(engine)
        run(session, "INSERT INTO t VALUES (10)")
        assert run(session, "SELECT s FROM quick") == [(11,)]
        assert taking.is_alive()
        stand(None)
        with engine.lock:
            engine.moved()
        taking.join()
        assert taken == [cut]
        assert run(session, "SELECT s FROM slow") == [(11,)]
        assert not engine.pins
    with Engine(tmp_path) as engine:
        assert run(engine.session(), "SELECT quick.s, slow.s AS other FROM quick, slow") == [(11, 11)]


def test_a_definition_meanwhile_lets_it_begin_again(tmp_path: Path, stand: Callable[[str | None], None]) -> None:
    with Engine(tmp_path) as engine:
        session = engine.session()
        run(session, "CREATE TABLE t (a int)", "CREATE MATERIALIZED VIEW slow AS SELECT sum(a)::int AS s FROM t")
        stand("slow")
        run(session, "INSERT INTO t VALUES (1)")
        cut = engine.epoch
        taken: list[int | None] = []
        taking = Thread(target=lambda: taken.append(engine.durability.checkpoint()))
        taking.start()
        _until_cut(engine)
        run(session, "CREATE TABLE other (b int)", "INSERT INTO other VALUES (5)")
        stand(None)
        with engine.lock:
            engine.moved()
        taking.join()
        assert taken[0] is not None
        assert taken[0] > cut
    with Engine(tmp_path) as engine:
        assert run(engine.session(), "SELECT s, b FROM slow, other") == [(1, 5)]
