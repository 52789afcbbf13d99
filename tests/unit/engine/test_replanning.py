"""A view whose stored plan this release does not read is planned and computed anew, or refused: never run as it is."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from constellationdb.engine.engine import Engine
from constellationdb.errors import FeatureNotSupported, RelationUnusable
from constellationdb.planner import plan
from tests.unit.engine.statements import run

_VIEWS = (
    "CREATE SCHEMA other",
    "CREATE TABLE other.t (k int PRIMARY KEY, v int)",
    "SET search_path = other",
    "CREATE MATERIALIZED VIEW sums AS SELECT v, count(*) AS n FROM t GROUP BY v",
    "CREATE MATERIALIZED VIEW most AS SELECT max(n) AS m FROM sums",
    "CREATE SOURCE s (a int)",
    "CREATE MATERIALIZED VIEW pushed AS SELECT a, count(*) AS n FROM s GROUP BY a",
)


def _write(directory: Path, *, checkpoint: bool = True) -> None:
    with Engine(directory) as engine:
        session = engine.session()
        run(
            session, *_VIEWS, "INSERT INTO t VALUES (1, 10), (2, 10), (3, 20)", "INSERT INTO s VALUES (5), (5)", "FLUSH"
        )
        if checkpoint:
            assert engine.durability.checkpoint() is not None
        run(session, "INSERT INTO t VALUES (4, 20), (5, 20)")


def _becomes_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a release came that reads none of today's plans."""
    monkeypatch.setattr(plan, "VERSION", 2)
    monkeypatch.setattr(plan, "OLDEST", 2)


@pytest.mark.parametrize("lives", [1, 2])
def test_earlier_plans_are_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lives: int) -> None:
    _write(tmp_path)
    _becomes_old(monkeypatch)
    for life in range(lives):
        with Engine(tmp_path) as engine:
            told, session = engine.restored or "", engine.session()
            run(session, "SET search_path = other")
            if life == 0:
                assert "; planned anew, for their plans were of an earlier format: sums, most, pushed" in told
                assert told.endswith("; computing anew: sums, most")
            else:
                assert "anew" not in told
            run(session, "WAIT", f"INSERT INTO t VALUES ({100 + life}, 30)")
            assert run(session, "SELECT v, n FROM sums ORDER BY v") == [(10, 2), (20, 3), (30, 1 + life)]
            assert run(session, "SELECT m FROM most") == [(3,)]
            with pytest.raises(RelationUnusable, match="pushed") as raised:
                run(session, "SELECT * FROM pushed")
            assert "its plan is of an earlier format, and it reads a source that keeps no history" in str(
                raised.value.detail
            )
            assert run(session, "CREATE OR REPLACE MATERIALIZED VIEW fresh AS SELECT count(*) AS n FROM t") == []
            assert engine.durability.checkpoint() is not None


def test_earlier_plans_in_the_log_are_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(tmp_path, checkpoint=False)
    _becomes_old(monkeypatch)
    with Engine(tmp_path) as engine:
        session = engine.session()
        run(session, "SET search_path = other")
        assert run(session, "SELECT v, n FROM sums ORDER BY v") == [(10, 2), (20, 3)]
        assert run(session, "SELECT a, n FROM pushed") == [(5, 2)]  # the log has its rows
        stored = engine.catalog.get(engine.jobs[next(iter(engine.jobs))].name)
        assert plan.decode(stored.plan).version == 2


@pytest.mark.parametrize("checkpoint", [True, False])
def test_later_plans_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpoint: bool) -> None:
    with monkeypatch.context() as later:
        later.setattr(plan, "VERSION", 2)
        _write(tmp_path, checkpoint=checkpoint)
    with pytest.raises(FeatureNotSupported) as raised, Engine(tmp_path):
        pass
    assert str(raised.value) == 'the plan of materialized view "sums" has format 2, this release reads up to 1'
    assert raised.value.hint == "open the database with the release that wrote it, or a newer one"


def test_a_plan_with_what_is_not_known_is_not_read(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine:
        session = engine.session()
        run(
            session, "CREATE TABLE t (a int)", "CREATE MATERIALIZED VIEW v AS SELECT a, count(*) AS n FROM t GROUP BY a"
        )
        stored = engine.catalog.get("v").plan
    assert plan.is_readable(stored)
    assert plan.format_of(stored) == plan.VERSION
    tree = msgspec.msgpack.decode(stored)
    tree["root"]["node"] = "of another time"
    assert not plan.is_readable(msgspec.msgpack.encode(tree))
