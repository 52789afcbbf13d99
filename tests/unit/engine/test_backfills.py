"""First answers of new views: in the background, chunk by chunk, and seen in ``constellation.backfills``."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from constellationdb.engine.engine import Engine
from constellationdb.errors import InternalError, QueryCanceled
from tests.unit.engine.statements import run

_TABLE = ("CREATE TABLE t (id int PRIMARY KEY, v int)", "INSERT INTO t SELECT i, i FROM generate_series(1, 1000) AS i")
_SLOWLY = ("SET background_ddl = on", "SET backfill_rate_limit = 1")
_VIEW = "CREATE MATERIALIZED VIEW v AS SELECT count(*) AS c, sum(v)::bigint AS n FROM t"
_STATE = "SELECT view, rows_total, state FROM constellation.backfills"


def _quickly(engine: Engine, name: str) -> None:
    """Let a slow one go on as fast as it can."""
    with engine.lock:
        progress = engine.jobs[name].progress
        assert progress is not None
        progress.rate, progress.due = 0, 0.0
        engine.moved()


def _begun(engine: Engine, name: str) -> None:
    """Until its first chunk is done."""
    assert engine.wait(lambda: (p := engine.jobs[name].progress) is not None and p.done > 0, timeout=30.0)


@pytest.fixture
def engine() -> Engine:
    return Engine()


def test_the_statement_returns_and_wait_waits(engine: Engine) -> None:
    with engine:
        session = engine.session()
        run(session, *_TABLE, *_SLOWLY, _VIEW)
        _begun(engine, "v")
        assert run(session, _STATE) == [("v", 1000, "running")]
        assert run(session, "SELECT rows_done < 1000 AS a, started IS NOT NULL AS b FROM constellation.backfills") == [
            (True, True)
        ]
        _quickly(engine, "v")
        run(session, "WAIT")
        assert run(session, "SELECT view, rows_done, rows_total, state, error FROM constellation.backfills") == [
            ("v", 1000, 1000, "done", None)
        ]
        assert run(session, "SELECT * FROM v") == [(1000, 500500)]


def test_views_that_run_are_not_kept_waiting(engine: Engine) -> None:
    """Epoch after epoch is in a running view while another one's first answer stands still."""
    with engine:
        session = engine.session()
        run(session, *_TABLE, "CREATE MATERIALIZED VIEW running AS SELECT max(id) AS m FROM t", *_SLOWLY, _VIEW)
        _begun(engine, "v")
        for number in range(1001, 1021):
            run(session, f"INSERT INTO t VALUES ({number}, 0)")
            assert run(session, "SELECT m FROM running") == [(number,)]
            assert engine.jobs["running"].reached() >= session.last_epoch
        assert engine.jobs["v"].starting
        _quickly(engine, "v")
        assert run(session, "SELECT * FROM v") == [(1020, 500500)]


def test_changes_meanwhile_come_after_the_first_answer(engine: Engine) -> None:
    with engine:
        session = engine.session()
        run(session, *_TABLE, *_SLOWLY, _VIEW)
        _begun(engine, "v")
        run(session, "DELETE FROM t WHERE id > 500", "UPDATE t SET v = 0 WHERE id > 250")
        _quickly(engine, "v")
        assert run(session, "SELECT * FROM v") == [(500, 31375)]


def test_dropping_it_ends_it(engine: Engine) -> None:
    with engine:
        session = engine.session()
        run(session, *_TABLE, *_SLOWLY, _VIEW, "DROP MATERIALIZED VIEW v", "WAIT")
        assert run(session, _STATE) == []


def test_a_cancelled_statement_takes_its_view_along(engine: Engine) -> None:
    with engine:
        session, other = engine.session(), engine.session()
        run(session, *_TABLE, "SET backfill_rate_limit = 1", "SET statement_timeout = '200ms'")
        with pytest.raises(QueryCanceled):
            run(session, _VIEW)
        assert run(other, "SELECT name FROM constellation.jobs") == []


def test_a_cancelled_replacement_leaves_the_view(engine: Engine) -> None:
    with engine:
        session = engine.session()
        run(session, *_TABLE, _VIEW, "SET backfill_rate_limit = 1", "SET statement_timeout = '200ms'")
        with pytest.raises(QueryCanceled):
            run(session, "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT count(*) AS c, 0::bigint AS n FROM t")
        run(session, "SET statement_timeout = 0")
        assert run(session, "SELECT * FROM v") == [(1000, 500500)]
        assert [name for name in engine.catalog.relations if "#" in name] == []


def test_one_that_fails_says_so(engine: Engine) -> None:
    with engine:
        session = engine.session()
        run(session, *_TABLE, *_SLOWLY, _VIEW)
        _begun(engine, "v")
        with engine.lock:
            engine.jobs["v"].backfill = _failing()
        _quickly(engine, "v")
        with pytest.raises(InternalError, match='the first answer of "v" could not be computed'):
            run(session, "WAIT")
        assert run(session, "SELECT state, error FROM constellation.backfills") == [("failed", "no room")]


def _failing() -> Iterator[None]:
    raise RuntimeError("no room")
    yield


def test_after_a_crash_it_begins_again(tmp_path: Path) -> None:
    """No checkpoint had seen it."""
    with Engine(tmp_path / "data") as engine:
        session = engine.session()
        run(session, *_TABLE, *_SLOWLY, _VIEW)
        _begun(engine, "v")
        run(session, "INSERT INTO t VALUES (2000, 0)")
        shutil.copytree(tmp_path / "data", tmp_path / "crashed")
    with Engine(tmp_path / "crashed") as engine:
        session = engine.session()
        assert run(session, "SELECT state FROM constellation.backfills") == [("running",)]
        _quickly(engine, "v")
        assert run(session, "WAIT", "SELECT * FROM v") == [(1001, 500500)]
        assert run(session, "SELECT rows_done, state FROM constellation.backfills") == [(1000, "done")]
