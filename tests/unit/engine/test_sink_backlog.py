"""What a target lacks that is away: kept, in memory and on disk, up to a limit; nobody else notices."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from constellationdb import connect
from constellationdb.engine.engine import Engine
from constellationdb.engine.sinks import delivery
from tests.unit.engine.statements import run
from tests.unit.engine.test_sinks import output, sink, state

_EPOCHS, _ROWS = 20, 2000


@pytest.fixture(autouse=True)
def _little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "_MOST_IN_MEMORY", 100_000)
    monkeypatch.setattr(delivery, "_LOOK_S", 0.01)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def set_up(db: Engine, target: Path, kind: str, **options: str) -> None:
    session = db.session()
    text = "CREATE SOURCE t (id int, g text)" if kind == "source" else "CREATE TABLE t (id int PRIMARY KEY, g text)"
    run(session, text, "CREATE MATERIALIZED VIEW n AS SELECT count(*) AS n FROM t")
    run(session, sink(target, "FROM t", type="debezium", commit_interval="1ms", **options))
    run(session, "INSERT INTO t VALUES (-1, 'first')", "WAIT")


def away(target: Path) -> None:
    shutil.move(target, target.with_name("aside"))
    target.write_text("in the way")


def back(target: Path) -> None:
    target.unlink()
    shutil.move(target.with_name("aside"), target)


def fill(engine: Engine) -> None:
    session = engine.session()
    for number in range(_EPOCHS):
        low = number * _ROWS
        rows = f"generate_series({low}, {low + _ROWS - 1}) AS i"
        run(session, f"INSERT INTO t SELECT i, repeat('x', 30) || i FROM {rows}", "FLUSH")


def ids(target: Path) -> list[int]:
    return sorted(row["after"]["id"] for row in output(target))  # type: ignore[index]


ALL = [-1, *range(_EPOCHS * _ROWS)]


@pytest.mark.parametrize("kind", ["table", "source"])
def test_what_is_too_much_for_the_memory_lies_on_disk(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "out"
    with Engine(tmp_path / "data") as engine:
        set_up(engine, target, kind)
        away(target)
        fill(engine)
        run(engine.session(), "CHECKPOINT")
        log = engine.states["t"].log
        until(lambda: engine.sinks["s"].state == "retrying" and not log.in_memory_after(engine.sinks["s"].held))
        assert run(engine.session(), "SELECT n FROM n") == [(_EPOCHS * _ROWS + 1,)]
        ((behind, missing),) = run(engine.session(), "SELECT bytes_behind, epochs_behind FROM constellation.sinks")
        assert int(str(behind)) > _EPOCHS * _ROWS * 30
        assert int(str(missing)) >= _EPOCHS
        assert sum(change.delta.nbytes for change in log._changes if change.delta is not None) < 100_000
        assert not list((tmp_path / "data" / "state").iterdir())
        shutil.copytree(tmp_path / "data", tmp_path / "killed")
        shutil.copytree(tmp_path / "aside", tmp_path / "aside of killed")
        back(target)
        run(engine.session(), "ALTER SINK s SET (commit_interval = '2ms')", "WAIT")
        assert ids(target) == ALL
    shutil.rmtree(target)
    shutil.move(tmp_path / "aside of killed", target)
    with connect(tmp_path / "killed") as database:
        database.execute("WAIT")
        assert state(database) == ("running", None)
        assert ids(target) == ALL


@pytest.mark.parametrize("on_disk", [False, True])
def test_more_than_the_limit_fails_the_sink_alone(tmp_path: Path, *, on_disk: bool) -> None:
    target = tmp_path / "out"
    with Engine(tmp_path / "data" if on_disk else None) as engine:
        set_up(engine, target, "table", max_backlog="200000")
        away(target)
        fill(engine)
        until(lambda: engine.sinks["s"].state == "failed")
        database = engine.session()
        assert run(database, "SELECT n FROM n") == [(_EPOCHS * _ROWS + 1,)]
        ((said,),) = run(database, "SELECT error FROM constellation.sinks")
        assert str(said).startswith("the target lacks ")
        assert "bytes of changes, more than the 200000 that are kept for it" in str(said)
        back(target)
        run(database, "ALTER SINK s SET (max_backlog = '100000000')", "WAIT")
        assert run(database, "SELECT state FROM constellation.sinks") == [("running",)]
        assert ids(target) == ALL


def test_a_disk_that_is_full_leaves_it_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    target = tmp_path / "out"
    with Engine(tmp_path / "data") as engine:
        set_up(engine, target, "table")
        away(target)
        fill(engine)
        monkeypatch.setattr("tempfile.mkstemp", full)
        run(engine.session(), "CHECKPOINT")
        until(lambda: engine.sinks["s"]._spool is None)
        assert engine.sinks["s"].state == "retrying"
        back(target)
        run(engine.session(), "ALTER SINK s SET (commit_interval = '2ms')", "WAIT")
        assert ids(target) == ALL
