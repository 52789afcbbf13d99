"""Checkpoints that take views where they stand: what is in flight to them is kept, and comes first afterwards."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from threading import Event
from typing import Any

import pytest

from constellationdb.engine import capture
from constellationdb.engine.engine import Engine
from constellationdb.engine.in_flight import Unaligned
from constellationdb.engine.job import Job
from constellationdb.engine.session import Session
from constellationdb.engine.worker import Worker
from tests.unit.engine.statements import run

_AT_ONCE = Unaligned(after_seconds=0)
_CHECKPOINTS = "SELECT unaligned, in_flight_bytes > 0 AS some FROM constellation.checkpoints ORDER BY epoch DESC"


@pytest.fixture
def standing(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """The views that take no step."""
    names: set[str] = set()
    runnable = Job.runnable
    monkeypatch.setattr(Job, "runnable", lambda job: job.name not in names and runnable(job))
    yield names
    names.clear()


def _checkpoint(session: Session) -> list[str]:
    """What it has to say."""
    (result,) = session.execute("CHECKPOINT")
    return [notice.message for notice in result.notices]


def _let_go(engine: Engine, standing: set[str]) -> None:
    with engine.lock:
        standing.clear()
        engine.moved()


def _copied(tmp_path: Path) -> Path:
    """The directory as a kill would leave it now."""
    return shutil.copytree(tmp_path / "data", tmp_path / "crashed")


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Event, Event]]:
    """A step of the view ``slow`` is begun, and waits."""
    begun, go = Event(), Event()
    go.set()
    compute = Worker._compute

    def waits(worker: Worker, job: Job, work: Any) -> Any:
        """Where many rows would be computed: those of small steps take turns with everything else."""
        if job.name == "slow" and not go.is_set():
            begun.set()
            go.wait()
        return compute(worker, job, work)

    monkeypatch.setattr(Worker, "_compute", waits)
    yield begun, go
    go.set()


def test_a_slow_view_does_not_hold_the_checkpoint_up(tmp_path: Path, slow: tuple[Event, Event]) -> None:
    """It is in the middle of a step all the time, so what the last checkpoint has of it is taken once more."""
    begun, go = slow
    with Engine(tmp_path / "data", unaligned=_AT_ONCE) as engine:
        session = engine.session()
        run(session, "CREATE TABLE t (k int PRIMARY KEY, v int)")
        run(session, "CREATE MATERIALIZED VIEW slow AS SELECT v, count(*) AS n FROM t GROUP BY v")
        run(session, "CREATE MATERIALIZED VIEW higher AS SELECT max(n) AS most FROM slow")
        run(session, "INSERT INTO t VALUES (1, 1), (2, 1)", "FLUSH")
        token = session.last_epoch
        assert _checkpoint(session) == []
        assert run(session, _CHECKPOINTS) == [(False, False)]
        go.clear()
        run(session, "INSERT INTO t VALUES (3, 1)")
        assert begun.wait(30)
        for k in (4, 5):
            run(session, f"INSERT INTO t VALUES ({k}, 2)", "DELETE FROM t WHERE k = 1")
            assert _checkpoint(session) == []
        assert run(session, _CHECKPOINTS) == [(True, True), (True, True), (False, False)]
        crashed = _copied(tmp_path)
        go.set()
        run(session, "FLUSH", "SELECT most FROM higher")
        epochs = range(token, engine.epoch + 1)
        held = {epoch: sorted(run(session, f"SELECT v, n FROM slow AS OF EPOCH {epoch}")) for epoch in epochs}
        run(session, "INSERT INTO t VALUES (6, 3)", "FLUSH", "SELECT most FROM higher")
        assert _checkpoint(session) == []
        assert run(session, _CHECKPOINTS)[0] == (False, False)
    with Engine(crashed) as engine:
        session = engine.session()
        run(session, "WAIT")
        assert run(session, "SELECT * FROM slow ORDER BY v") == [(1, 2), (2, 2)]
        assert run(session, "SELECT most FROM higher") == [(2,)]
        for epoch in epochs:
            assert sorted(run(session, f"SELECT v, n FROM slow AS OF EPOCH {epoch}")) == held[epoch]
    with Engine(tmp_path / "data") as engine:
        assert run(engine.session(), "SELECT * FROM slow ORDER BY v") == [(1, 2), (2, 2), (3, 1)]


def test_one_long_step_that_was_not_written_is_waited_for(
    tmp_path: Path, slow: tuple[Event, Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go = slow
    monkeypatch.setattr(capture, "_LONGEST_STEP_SECONDS", 0.1)
    with Engine(tmp_path / "data", unaligned=_AT_ONCE) as engine:
        session = engine.session()
        run(session, "CREATE TABLE t (v int)", "CREATE MATERIALIZED VIEW slow AS SELECT v FROM t", "FLUSH")
        go.clear()
        run(session, "INSERT INTO t VALUES (3)")
        assert begun.wait(30)
        assert _checkpoint(session) == [
            'no checkpoint was taken: the step that is under way takes too long: "slow",'
            " and the next one is tried in some seconds"
        ]
        go.set()
        run(session, "FLUSH")
        assert _checkpoint(session) == []


def test_too_much_in_flight_is_no_checkpoint(tmp_path: Path, standing: set[str]) -> None:
    with Engine(tmp_path / "data", unaligned=Unaligned(0, 3000)) as engine:
        session = engine.session()
        run(session, "CREATE TABLE t (v int)", "CREATE MATERIALIZED VIEW m AS SELECT sum(v) AS s FROM t", "FLUSH")
        standing.add("m")
        run(session, "INSERT INTO t VALUES (1)")
        assert _checkpoint(session) == []
        run(session, "INSERT INTO t SELECT i FROM generate_series(1, 1000) AS i")
        (notice,) = _checkpoint(session)
        assert notice.startswith("no checkpoint was taken: ")
        assert 'bytes are in flight to "m", and 3000 may be' in notice
        crashed = _copied(tmp_path)
        _let_go(engine, standing)
        run(session, "FLUSH")
        assert _checkpoint(session) == []
        assert run(session, _CHECKPOINTS) == [(False, False), (True, True)]
    for directory in (crashed, tmp_path / "data"):
        with Engine(directory) as engine:
            assert run(engine.session(), "SELECT s FROM m") == [(500501,)]


def test_answers_on_their_way_are_not_asked_for_again(tmp_path: Path, standing: set[str]) -> None:
    names = tmp_path / "names.csv"
    names.write_text("id,name\n1,old\n2,older\n")
    with Engine(tmp_path / "data", unaligned=_AT_ONCE) as engine:
        session = engine.session()
        run(session, "CREATE SOURCE s (id bigint)")
        run(
            session,
            "CREATE LOOKUP TABLE names (id bigint PRIMARY KEY, name text)"
            f" WITH (connector = 'file', path = '{names}', format = 'csv', strategy = 'on-demand')",
        )
        run(session, "CREATE MATERIALIZED VIEW m AS SELECT s.id, n.name FROM s JOIN names FOR SYSTEM_TIME AS OF"
                     " PROCTIME() AS n ON n.id = s.id")  # fmt: skip
        job = engine.jobs["m"]
        ask = job.take_requests

        def take_requests() -> Any:
            found = ask()
            if found:
                standing.add("m")
            return found

        job.take_requests = take_requests  # type: ignore[method-assign]
        run(session, "INSERT INTO s VALUES (1)")
        assert engine.wait(lambda: bool(job.answers), timeout=30)
        run(session, "CHECKPOINT")
        assert run(session, _CHECKPOINTS) == [(True, True)]
        names.write_text("id,name\n1,new\n2,newer\n")
        crashed = _copied(tmp_path)
        answered = job.answers[0].epoch
        del job.take_requests
        _let_go(engine, standing)
        run(session, "WAIT")
        assert run(session, f"SELECT * FROM m AS OF EPOCH {answered}") == [(1, "old")]
    with Engine(crashed) as engine:
        session = engine.session()
        run(session, "WAIT")
        assert run(session, f"SELECT * FROM m AS OF EPOCH {answered}") == [(1, "old")]


@pytest.mark.parametrize("kind", ["history/t/", "marks/t/"])
def test_damage_to_what_was_in_flight_is_passed_over(tmp_path: Path, standing: set[str], kind: str) -> None:
    with Engine(tmp_path / "data", unaligned=_AT_ONCE) as engine:
        session = engine.session()
        run(session, "CREATE TABLE t (v int)", "CREATE MATERIALIZED VIEW m AS SELECT sum(v) AS s FROM t")
        run(session, "INSERT INTO t VALUES (1)", "FLUSH", "CHECKPOINT")
        standing.add("m")
        run(session, "INSERT INTO t VALUES (2)", "CHECKPOINT", "INSERT INTO t VALUES (3)")
        manifest = engine.durability.store._opened()
        key = next(key for key in sorted(manifest.blobs, reverse=True) if key.startswith(kind))
        place = manifest.blobs[key]
        crashed = _copied(tmp_path)
        (damaged,) = crashed.rglob(place.object.rpartition("/")[2])
        content = bytearray(damaged.read_bytes())
        content[-manifest.parts[place.object].length + place.offset + place.length // 2] ^= 4
        damaged.write_bytes(content)
    standing.clear()
    with Engine(crashed) as engine:
        assert engine.restored is not None
        assert "passed over the damaged checkpoint" in engine.restored
        session = engine.session()
        run(session, "WAIT")
        assert run(session, "SELECT s FROM m") == [(6,)]


_VIEWS = {
    "total": "SELECT k % 3 AS g, count(*) AS n, sum(v) AS s FROM t GROUP BY k % 3",
    "joined": "SELECT t.k, t.v, u.w FROM t LEFT JOIN u ON u.v = t.v",
    "above": "SELECT w, max(k) AS k, min(v) AS v, count(*) AS n FROM joined GROUP BY w",
    "top": "SELECT * FROM"
    " (SELECT k, v, row_number() OVER (PARTITION BY v ORDER BY k) AS r FROM joined) AS x WHERE r < 3",
    "twice": "SELECT a.w, t.k FROM above AS a JOIN t ON t.k = a.k UNION SELECT w, 0 FROM u",
    "windows": "SELECT TUMBLE_START(at, INTERVAL '10 seconds') AS begin, count(*) AS n FROM e"
    " GROUP BY TUMBLE(at, INTERVAL '10 seconds')",
    "closed": "SELECT TUMBLE_START(at, INTERVAL '10 seconds') AS begin, sum(v) AS s FROM e"
    " GROUP BY TUMBLE(at, INTERVAL '10 seconds') EMIT ON WINDOW CLOSE",
}


def _change(session: Session, draw: Random, clock: list[int]) -> None:
    k, v = draw.randrange(40), draw.randrange(8)
    clock[0] += draw.randrange(7)
    at = f"timestamp '2026-01-01' + interval '{clock[0] - draw.randrange(5)} seconds'"
    statements = [
        f"INSERT INTO t VALUES ({k}, {v}) ON CONFLICT (k) DO UPDATE SET v = excluded.v",
        f"INSERT INTO t SELECT i, nullif(i % 7, 3) FROM generate_series({k}, {k + 9}) AS i ON CONFLICT (k) DO NOTHING",
        f"UPDATE t SET v = v + 1 WHERE k % 10 = {k % 10}",
        f"DELETE FROM t WHERE k < {k} AND v = {v}",
        f"INSERT INTO u VALUES ({v}, '{draw.choice('abc')}'), (NULL, 'd')",
        f"DELETE FROM u WHERE v = {v}",
        f"INSERT INTO e VALUES ({at}, {v})",
    ]
    run(session, draw.choice(statements))


def _answers(session: Session, epoch: int) -> dict[str, list[tuple[object, ...]]]:
    return {name: sorted(run(session, f"SELECT * FROM {name} AS OF EPOCH {epoch}"), key=str) for name in _VIEWS}


def _lives(tmp_path: Path, seed: int, standing: set[str], check: Callable[[Session], None]) -> int:
    """Views stand and go on at random, checkpoints come at any time, a kill after some; how many were unaligned."""
    draw, clock, unaligned = Random(seed), [0], 0
    at, told = tmp_path / "0", dict[int, dict[str, list[tuple[object, ...]]]]()
    for life in range(3):
        with Engine(at, unaligned=_AT_ONCE) as engine:
            session = engine.session()
            if life == 0:
                run(session, "CREATE TABLE t (k int PRIMARY KEY, v int)", "CREATE TABLE u (v int, w text)")
                run(session, "CREATE SOURCE e (at timestamp, v int, WATERMARK FOR at AS at - INTERVAL '5 seconds')")
                for name, query in _VIEWS.items():
                    run(session, f"CREATE MATERIALIZED VIEW {name} AS {query}")
            run(session, "FLUSH")
            for epoch in sorted(told):
                assert _answers(session, epoch) == told[epoch], f"epoch {epoch}"
            check(session)
            first = engine.epoch
            for _ in range(draw.randrange(2, 7)):
                with engine.lock:
                    standing.clear()
                    standing.update(draw.sample(sorted(_VIEWS), draw.randrange(5)))
                    engine.moved()
                for _ in range(draw.randrange(5)):
                    _change(session, draw, clock)
                if engine.durability.checkpoint() is not None:
                    unaligned += run(session, _CHECKPOINTS)[0][0] is True
            for _ in range(draw.randrange(3)):
                _change(session, draw, clock)
            at = tmp_path / str(life + 1)
            shutil.copytree(tmp_path / str(life), at)
            _let_go(engine, standing)
            run(session, "FLUSH")
            check(session)
            told = {epoch: _answers(session, epoch) for epoch in range(max(first, engine.epoch - 7), engine.epoch + 1)}
        standing.clear()
    return unaligned


@pytest.mark.parametrize("seed", range(3))
def test_wherever_views_stand_they_go_on_as_they_would_have(tmp_path: Path, seed: int, standing: set[str]) -> None:
    """At every epoch, as if nothing had happened; and at the end what the query answers over the tables."""

    def check(session: Session) -> None:
        for name, query in _VIEWS.items():
            if name not in ("windows", "closed"):
                rows = run(session, f"SELECT * FROM ({query}) AS q")
                assert sorted(run(session, f"SELECT * FROM {name}"), key=str) == sorted(rows, key=str), name

    assert _lives(tmp_path, seed, standing, check) > 0
