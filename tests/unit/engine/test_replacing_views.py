"""CREATE OR REPLACE MATERIALIZED VIEW: the next version takes the view's place at one epoch, or nothing changes."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from constellationdb.engine.engine import Engine
from constellationdb.engine.session import Session
from constellationdb.errors import (
    ActiveTransaction,
    ConstellationError,
    DependentObjects,
    FeatureNotSupported,
    InvalidDefinition,
    RelationUnusable,
    WrongObjectType,
)
from tests.unit.engine.statements import run

_TABLES = (
    "CREATE TABLE t (id int PRIMARY KEY, k int, v int)",
    "INSERT INTO t VALUES (1, 1, 10), (2, 1, 20), (3, 2, 30), (4, NULL, 40)",
)
_OLD = "CREATE MATERIALIZED VIEW v AS SELECT k, sum(v) AS n FROM t GROUP BY k"
_OVER = "CREATE MATERIALIZED VIEW w AS SELECT count(*) AS c, sum(n)::bigint AS n FROM v"
_NEW = "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT k, count(*) AS n FROM t WHERE v > 10 GROUP BY k"
_ROWS = "SELECT k, n FROM v ORDER BY k"


def _changes(session: Session, engine: Engine, name: str, since: int) -> list[tuple[int, Counter[tuple[object, ...]]]]:
    """Epoch by epoch, what a subscriber that was there at ``since`` is told until now."""
    subscription = engine.subscribe(name, snapshot=False, as_of=since)
    run(session, "FLUSH")
    epochs: dict[int, Counter[tuple[object, ...]]] = {}
    while (batch := subscription.next(timeout=0.0)) is not None:
        for row in batch.to_pylist():
            epoch, diff, *values = row.values()
            counts = epochs.setdefault(epoch, Counter())
            counts[tuple(values)] += diff
    return sorted(epochs.items())


def test_readers_get_the_difference_at_one_epoch() -> None:
    with Engine() as engine:
        session = engine.session()
        run(session, *_TABLES, _OLD, _OVER, "FLUSH")
        assert run(session, "SELECT * FROM w") == [(3, 100)]
        since = engine.epoch
        assert run(session, _NEW, _ROWS) == [(1, 1), (2, 1), (None, 1)]
        ((_, difference),) = _changes(session, engine, "v", since)
        assert difference == {(1, 30): -1, (1, 1): 1, (2, 30): -1, (2, 1): 1, (None, 40): -1, (None, 1): 1}
        assert run(session, "SELECT * FROM w") == [(3, 3)]
        run(session, "INSERT INTO t VALUES (5, 2, 50)", "DELETE FROM t WHERE id = 4", "FLUSH")
        assert run(session, _ROWS) == [(1, 1), (2, 2)]
        assert run(session, "SELECT * FROM w") == [(2, 3)]


def test_rows_that_both_versions_have_are_no_change() -> None:
    with Engine() as engine:
        session = engine.session()
        run(session, *_TABLES, "CREATE MATERIALIZED VIEW v AS SELECT id, v FROM t WHERE v < 35", "FLUSH")
        since = engine.epoch
        run(session, "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT id, v FROM t WHERE v > 15")
        ((_, difference),) = _changes(session, engine, "v", since)
        assert difference == {(1, 10): -1, (4, 40): 1}


def test_a_view_without_a_key_takes_the_place_of_one_with_one_and_back() -> None:
    with Engine() as engine:
        session = engine.session()
        run(session, *_TABLES, "CREATE MATERIALIZED VIEW v AS SELECT id, v FROM t", "FLUSH")
        run(session, "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT k AS id, 1 AS v FROM t")
        assert run(session, "SELECT id, v FROM v ORDER BY id") == [(1, 1), (1, 1), (2, 1), (None, 1)]
        run(session, "DELETE FROM t WHERE id = 1", "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT id, v FROM t")
        run(session, "UPDATE t SET v = 21 WHERE id = 2", "FLUSH")
        assert run(session, "SELECT id, v FROM v ORDER BY id") == [(2, 21), (3, 30), (4, 40)]


def test_rows_of_a_stream_make_room_for_others() -> None:
    with Engine() as engine:
        session = engine.session()
        run(session, "CREATE SOURCE s (a int)", *_TABLES, "CREATE MATERIALIZED VIEW v AS SELECT a FROM s")
        run(session, "INSERT INTO s VALUES (1), (1), (2)", "FLUSH")
        since = engine.epoch
        run(session, "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT id AS a FROM t WHERE id < 3")
        assert run(session, "SELECT a FROM v ORDER BY a") == [(1,), (2,)]
        ((_, difference),) = _changes(session, engine, "v", since)
        assert difference == {(1,): -1}


def test_other_columns_where_nobody_reads_them() -> None:
    with Engine() as engine:
        session = engine.session()
        run(session, *_TABLES, _OLD, "FLUSH")
        subscription = engine.subscribe("v")
        assert subscription.next() is not None
        run(session, "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT v, id, 'x' AS kind FROM t WHERE id < 3")
        assert run(session, "SELECT * FROM v ORDER BY id") == [(10, 1, "x"), (20, 2, "x")]
        with pytest.raises(RelationUnusable, match='"v" has other columns now') as caught:
            subscription.next()
        assert caught.value.detail == f"The subscription ended after epoch {subscription.epoch}."
        token = int((caught.value.hint or "").removeprefix("SUBSCRIBE v AS OF EPOCH ").partition(" ")[0])
        first = engine.subscribe("v", as_of=token).next(timeout=5)
        assert first is not None
        assert [(row["_epoch"], row["_diff"], row["id"], row["kind"]) for row in first.to_pylist()] == [
            (token, 1, 1, "x"),
            (token, 1, 2, "x"),
        ]
        run(session, "UPDATE t SET v = 11 WHERE id = 1", "FLUSH")
        assert run(session, "SELECT * FROM v ORDER BY id") == [(11, 1, "x"), (20, 2, "x")]


_MORE = "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT max(v) AS m, count(*) AS n, k FROM t WHERE v > 10 GROUP BY k"
_READERS = (
    "CREATE MATERIALIZED VIEW w AS SELECT count(*) AS c, sum(n)::bigint AS n FROM v",
    "CREATE MATERIALIZED VIEW joined AS SELECT t.id, v.n FROM t JOIN v ON t.k = v.k",
    "CREATE VIEW everything AS SELECT * FROM v",
    "CREATE MATERIALIZED VIEW over_w AS SELECT c + 1 AS c FROM w",
)


def _read_all(session: Session) -> list[list[tuple[object, ...]]]:
    names = ("w", "joined", "everything", "over_w", "v")
    return [sorted(run(session, f"SELECT * FROM {name}"), key=repr) for name in names]


@pytest.mark.parametrize("ending", ["none", "checkpoint", "log"])
def test_readers_go_on_where_the_columns_they_read_are_kept(tmp_path: Path, ending: str) -> None:
    """Columns come, move and go: who reads others does not notice."""
    with Engine(tmp_path) as engine:
        session = engine.session()
        run(session, *_TABLES, "CREATE MATERIALIZED VIEW v AS SELECT k, sum(v) AS n, min(id) AS i FROM t GROUP BY k")
        run(session, _READERS[0], "CREATE MATERIALIZED VIEW joined AS SELECT t.id, v.n FROM t JOIN v ON t.k = v.k")
        run(session, "CREATE VIEW everything AS SELECT k, n FROM v", _READERS[3], "CHECKPOINT", "FLUSH")
        since = engine.epoch
        run(session, _MORE)
        ((_, difference),) = _changes(session, engine, "w", since)
        assert difference == {(3, 100): -1, (3, 3): 1}
        run(session, *(["CHECKPOINT"] if ending == "checkpoint" else []))
        expected = _read_all(session)
        assert expected[0] == [(3, 3)]
        assert expected[4] == [(20, 1, 1), (30, 1, 2), (40, 1, None)]
        if ending == "none":
            _check_going_on(session)
    if ending != "none":
        with Engine(tmp_path) as engine:
            session = engine.session()
            assert _read_all(session) == expected
            _check_going_on(session)


def _check_going_on(session: Session) -> None:
    run(session, "INSERT INTO t VALUES (5, 2, 50)", "DELETE FROM t WHERE id = 2", "FLUSH")
    assert _read_all(session) == [
        [(2, 3)], [(3, 2), (5, 2)], [(2, 2), (None, 1)], [(3,)], [(40, 1, None), (50, 2, 2)]
    ]  # fmt: skip


def test_all_columns_stay_those_there_were() -> None:
    with Engine() as engine:
        session = engine.session()
        run(session, *_TABLES, _OLD, *_READERS, _MORE)
        assert run(session, "SELECT * FROM everything ORDER BY k") == [(1, 1), (2, 1), (None, 1)]
        assert run(session, "SELECT * FROM v ORDER BY k") == [(20, 1, 1), (30, 1, 2), (40, 1, None)]


def test_a_column_that_is_read_must_stay() -> None:
    with Engine() as engine:
        session = engine.session()
        run(session, *_TABLES, _OLD, _OVER, "FLUSH")
        with pytest.raises(DependentObjects) as caught:
            run(session, "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT k, count(*)::int AS n FROM t GROUP BY k")
        assert caught.value.detail == "materialized view w depends on materialized view v"
        assert run(session, _ROWS) == [(1, 30), (2, 30), (None, 40)]


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("CREATE OR REPLACE MATERIALIZED VIEW t AS SELECT 1 AS a", WrongObjectType),
        ("CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT k, n FROM v", InvalidDefinition),
        ("CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT k, n FROM over_v", InvalidDefinition),
        ("BEGIN; CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1 AS a", ActiveTransaction),
        ("CREATE OR REPLACE MATERIALIZED VIEW stream AS SELECT k AS a FROM t", FeatureNotSupported),
    ],
)  # fmt: skip
def test_what_cannot_be_replaced(sql: str, error: type[ConstellationError]) -> None:
    with Engine() as engine:
        session = engine.session()
        run(session, *_TABLES, _OLD, "CREATE VIEW over_v AS SELECT * FROM v", "CREATE SOURCE s (a int)")
        run(session, "CREATE MATERIALIZED VIEW stream AS SELECT a FROM s")
        run(session, "CREATE MATERIALIZED VIEW over_stream AS SELECT a FROM stream")
        before = engine.catalog
        with pytest.raises(error):
            run(session, sql)
        assert engine.catalog is before


def test_a_new_version_that_fails_leaves_the_old_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with Engine() as engine:
        session = engine.session()
        run(session, *_TABLES, _OLD, "FLUSH")
        monkeypatch.setattr(engine.successions, "look", lambda _: None)
        run(session, "SET background_ddl = on", _NEW)
        assert run(session, "SELECT view, state FROM constellation.backfills ORDER BY state DESC")[0][0] == "v"
        with pytest.raises(RelationUnusable, match="is being replaced already"):
            run(session, _NEW)
        with engine.lock:
            engine.jobs["v#next"].failure = RuntimeError("no room")
            engine.moved()
        assert run(session, "SELECT error FROM constellation.backfills WHERE state = 'failed'") == [("no room",)]
        assert run(session, _ROWS) == [(1, 30), (2, 30), (None, 40)]
        monkeypatch.undo()
        run(session, "SET background_ddl = off", _NEW)  # the failed one makes room
        assert run(session, _ROWS) == [(1, 1), (2, 1), (None, 1)]


def test_the_next_version_is_nowhere_to_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    with Engine() as engine:
        session = engine.session()
        run(session, *_TABLES, _OLD)
        seen = (
            "SELECT relname FROM pg_class WHERE oid >= 16384 ORDER BY 1",
            "SELECT name FROM constellation.relations ORDER BY 1",
            "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1",
        )
        before = [run(session, sql) for sql in seen]
        monkeypatch.setattr(engine.successions, "look", lambda _: None)
        run(session, "SET background_ddl = on", _NEW)
        assert "v#next" in engine.catalog.relations
        assert [run(session, sql) for sql in seen] == before
        run(session, "DROP MATERIALIZED VIEW v")
        assert not [name for name in (*engine.jobs, *engine.states) if name.startswith("v")]


@pytest.mark.parametrize("checkpoint", [True, False], ids=["checkpoint", "log"])
@pytest.mark.parametrize("new", [_NEW, "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT id, k, v AS n FROM u"])
def test_after_a_restart_there_is_the_new_one(tmp_path: Path, new: str, checkpoint: bool) -> None:
    with Engine(tmp_path) as engine:
        session = engine.session()
        run(session, *_TABLES, _OLD, "CHECKPOINT", "CREATE TABLE u (id int, k int, v int)")
        run(session, "INSERT INTO u VALUES (7, 7, 70)", new, *(["CHECKPOINT"] if checkpoint else []))
        expected = run(session, "SELECT * FROM v ORDER BY k")
        oid = run(session, "SELECT 'v'::regclass::oid::int")
    with Engine(tmp_path) as engine:
        session = engine.session()
        assert run(session, "SELECT * FROM v ORDER BY k") == expected
        assert run(session, "SELECT 'v'::regclass::oid::int") == oid
        run(session, "INSERT INTO t VALUES (9, 9, 90)", "INSERT INTO u VALUES (9, 9, 90)", "FLUSH", "CHECKPOINT")
        assert len(run(session, "SELECT * FROM v")) == len(expected) + 1
    with Engine(tmp_path) as engine:
        assert len(run(engine.session(), "SELECT * FROM v")) == len(expected) + 1


@pytest.mark.parametrize("checkpoint", [True, False], ids=["checkpoint", "log"])
def test_a_crash_in_between_leaves_one_of_the_two(
    tmp_path: Path, checkpoint: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The data directory as it is while the new version waits for its turn, and what becomes of it."""
    with Engine(tmp_path / "data") as engine:
        session = engine.session()
        run(session, *_TABLES, _OLD, _OVER)
        monkeypatch.setattr(engine.successions, "look", lambda _: None)
        run(session, "SET background_ddl = on", _NEW, "FLUSH", *(["CHECKPOINT"] if checkpoint else []))
        assert run(session, _ROWS) == [(1, 30), (2, 30), (None, 40)]
        shutil.copytree(tmp_path / "data", tmp_path / "crashed")
    with Engine(tmp_path / "crashed") as engine:
        session = engine.session()
        run(session, "WAIT")
        assert run(session, _ROWS) == [(1, 1), (2, 1), (None, 1)]
        run(session, "INSERT INTO t VALUES (5, 2, 50)", "FLUSH")
        assert run(session, "SELECT * FROM w") == [(3, 4)]
        assert not [name for name in engine.catalog.relations if "#" in name]
