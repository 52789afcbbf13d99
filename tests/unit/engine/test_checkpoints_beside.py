"""Checkpoints beside views that are not where the others are: failed, far behind, at their first answer."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from constellationdb.engine import capture
from constellationdb.engine.backfills import BackfillProgress
from constellationdb.engine.engine import Engine
from constellationdb.engine.in_flight import Unaligned
from constellationdb.engine.job import Job
from constellationdb.engine.session import Session
from constellationdb.errors import RelationUnusable
from tests.unit.engine.failing_views import CHAIN, fail_at_seven
from tests.unit.engine.statements import run

_JOBS = "SELECT name, state FROM constellation.jobs ORDER BY name"


@pytest.fixture
def _sevens(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_at_seven(monkeypatch)


def _checkpoint(session: Session) -> None:
    (result,) = session.execute("CHECKPOINT")
    assert not result.notices
    assert not list(session.engine.durability.log.read_from(session.engine.epoch))[1:]


@pytest.mark.usefixtures("_sevens")
def test_a_failed_view_is_computed_anew_behind_a_checkpoint(tmp_path: Path) -> None:
    with Engine(tmp_path / "data") as engine:
        session = engine.session()
        run(session, *CHAIN, "INSERT INTO t VALUES (7)", "INSERT INTO t VALUES (8)", "FLUSH")
        _checkpoint(session)
        run(session, "INSERT INTO t VALUES (9)")
        _checkpoint(session)
        run(session, "INSERT INTO t VALUES (10)", "DELETE FROM t WHERE a = 1")
        shutil.copytree(tmp_path / "data", tmp_path / "crashed")
    with Engine(tmp_path / "crashed") as engine:
        session = engine.session()
        assert engine.restored is not None
        assert engine.restored.endswith("; computing anew what had failed: second, third")
        run(session, "WAIT")
        assert run(session, "SELECT a FROM second ORDER BY a") == [(7,), (8,), (9,), (10,)]
        assert run(session, "SELECT n FROM third") == [(4,)]
        assert run(session, "SELECT n FROM beside") == [(4,)]
        assert run(session, _JOBS) == [(name, "running") for name in ("beside", "first", "second", "third")]
        run(session, "INSERT INTO t VALUES (11)")
        assert run(session, "SELECT n FROM third") == [(5,)]


@pytest.mark.usefixtures("_sevens")
def test_one_over_pushed_rows_stays_failed(tmp_path: Path) -> None:
    """These are not kept, so that computing it anew would be computing something else."""
    with Engine(tmp_path) as engine:
        session = engine.session()
        run(
            session,
            "CREATE SOURCE s (a int)",
            "CREATE MATERIALIZED VIEW second AS SELECT a FROM s",
            "CREATE MATERIALIZED VIEW third AS SELECT count(*) AS n FROM second",
            "INSERT INTO s VALUES (1)",
            "FLUSH",
        )
        before = engine.epoch
        run(session, "INSERT INTO s VALUES (7)", "FLUSH")
        _checkpoint(session)
    for _ in range(2):
        with Engine(tmp_path) as engine:
            session = engine.session()
            run(session, "INSERT INTO s VALUES (8)", "FLUSH")
            for view in ("second", "third"):
                with pytest.raises(RelationUnusable, match='"second" has failed and stopped after epoch') as caught:
                    run(session, f"SELECT * FROM {view}")
                assert caught.value.detail == "an operator gave up"
            assert run(session, _JOBS) == [("second", "failed"), ("third", "stopped")]
            assert run(session, f"SELECT a FROM second AS OF EPOCH {before}") == [(1,)]
            _checkpoint(session)


@pytest.mark.usefixtures("_sevens")
def test_what_cannot_be_computed_anew_beside_what_can(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine:
        session = engine.session()
        run(session, *CHAIN, "CREATE SOURCE s (a int)")
        run(session, "CREATE MATERIALIZED VIEW mixed AS SELECT second.a FROM second JOIN s ON s.a = second.a")
        run(session, "INSERT INTO s VALUES (1)", "INSERT INTO t VALUES (7)", "FLUSH")
        _checkpoint(session)
    with Engine(tmp_path) as engine:
        session = engine.session()
        assert run(session, "WAIT", "SELECT n FROM third") == [(2,)]
        with pytest.raises(RelationUnusable, match='"mixed" has failed') as caught:
            run(session, "SELECT a FROM mixed")
        assert caught.value.detail == '"second" had failed and was computed anew'


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], None]:
    """Let the job of this name take no step."""
    runnable = Job.runnable
    standing: list[str | None] = [None]
    monkeypatch.setattr(Job, "runnable", lambda job: job.name != standing[0] and runnable(job))

    def stands(name: str | None) -> None:
        standing[0] = name

    return stands


@pytest.mark.parametrize("far", [0, 1000])
def test_one_far_behind_goes_on_from_where_it_is(
    tmp_path: Path, stand: Callable[[str | None], None], monkeypatch: pytest.MonkeyPatch, far: int
) -> None:
    monkeypatch.setattr(capture, "_FAR", far)
    with Engine(tmp_path / "data", unaligned=Unaligned(after_seconds=0.2)) as engine:
        session = engine.session()
        run(session, *CHAIN)
        run(session, "CREATE TABLE u (a int)", "INSERT INTO u VALUES (1), (1), (2), (7)")
        run(session, "CREATE MATERIALIZED VIEW joined AS SELECT u.a FROM u JOIN first ON first.a = u.a", "FLUSH")
        token = session.last_epoch
        stand("first")
        run(session, "INSERT INTO t VALUES (2)", "DELETE FROM t WHERE a = 1", "INSERT INTO t VALUES (7)")
        run(session, "DELETE FROM u WHERE a = 1", "INSERT INTO u VALUES (2), (1)")
        _checkpoint(session)
        run(session, "INSERT INTO t VALUES (1)", "DELETE FROM t WHERE a = 2")
        _checkpoint(session)
        stand(None)
        with engine.lock:
            engine.moved()
        run(session, "FLUSH")
        stand("joined")
        run(session, "INSERT INTO t VALUES (2)")
        _checkpoint(session)
        run(session, "INSERT INTO u VALUES (2)")
        shutil.copytree(tmp_path / "data", tmp_path / "crashed")
    stand(None)
    with Engine(tmp_path / "crashed") as engine:
        session = engine.session()
        for name in ("first", "second", "joined"):
            feed = engine.subscribe(name, as_of=token)
            held: dict[int, int] = {}
            while (batch := feed.next(0.0)) is not None:
                for row in batch.to_pylist():
                    held[row["a"]] = held.get(row["a"], 0) + row["_diff"]
            assert {a: n for a, n in held.items() if n} == {
                "first": {1: 1, 2: 1, 7: 1}, "second": {1: 1, 2: 1, 7: 1}, "joined": {1: 1, 2: 3, 7: 1}
            }[name]  # fmt: skip
        assert run(session, "SELECT a, count(*) FROM joined GROUP BY a ORDER BY a") == [(1, 1), (2, 3), (7, 1)]
        assert run(session, "SELECT n FROM third") == [(3,)]


def test_a_first_answer_that_goes_on_alone_is_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else happens, so there is no new epoch, and yet there is something to write."""
    monkeypatch.setattr("constellationdb.engine.engine.CHUNK_ROWS", 10)
    with Engine(tmp_path) as engine:
        session = engine.session()
        run(
            session,
            "CREATE TABLE t (a int)",
            "INSERT INTO t SELECT i FROM generate_series(1, 100) AS i",
            "SET background_ddl = on",
            "SET backfill_rate_limit = 10",
        )
        run(session, "CREATE MATERIALIZED VIEW v AS SELECT sum(a)::bigint AS s FROM t")
        progress = engine.jobs["v"].progress
        assert progress is not None
        for done in (10, 20):
            assert engine.wait(partial(_has_read, progress, done), timeout=30.0)
            assert engine.durability.checkpoint() is not None
        assert engine.durability.checkpoint_now()
        reached = progress.done
    with Engine(tmp_path) as engine:
        progress = engine.jobs["v"].progress
        assert progress is not None
        assert 20 <= progress.done <= reached + 10
        with engine.lock:
            progress.rate, progress.due = 0, 0.0
            engine.moved()
        assert run(engine.session(), "WAIT", "SELECT s FROM v") == [(5050,)]


def _has_read(progress: BackfillProgress, rows: int) -> bool:
    return progress.done >= rows
