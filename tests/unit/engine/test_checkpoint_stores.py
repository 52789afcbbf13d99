"""Where an engine keeps its checkpoints, and what it does when they fail."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from constellationdb.engine.checkpoint_settings import CheckpointSettings
from constellationdb.engine.engine import Engine
from constellationdb.errors import CorruptState, HistoryExpired, InvalidParameter, StorageFailure
from constellationdb.storage.objects.local import LocalObjects
from tests.object_stores import s3_environment, start_s3
from tests.unit.engine.statements import run

_SETUP = (
    "CREATE TABLE t (a int PRIMARY KEY, b int)",
    "CREATE MATERIALIZED VIEW v AS SELECT b, count(*) AS n, sum(a) AS s FROM t GROUP BY b",
)
_STATE = "SELECT count(*) AS n, sum(a) AS s FROM t"
_VIEW = "SELECT sum(n)::int AS n, sum(s)::int AS s FROM v"


def _rows(low: int, high: int) -> str:
    return f"INSERT INTO t SELECT i, i % 7 FROM generate_series({low}, {high}) AS i"


def _check(engine: Engine, count: int) -> None:
    expected = [(count, count * (count + 1) // 2)]
    session = engine.session()
    run(session, "FLUSH")
    assert run(session, _STATE) == expected
    assert run(session, _VIEW) == expected


def _parts(root: Path, epoch: int) -> list[Path]:
    return list((root / "checkpoints" / "parts").glob(f"{epoch:020}-*"))


def _database(root: Path) -> list[int]:
    """Four checkpoints, of which three are kept, and a tail in the log: 50 rows. The epochs, the newest first."""
    with Engine(root) as engine:
        session = engine.session()
        run(session, *_SETUP)
        for high in (10, 20, 30, 40):
            run(session, _rows(high - 9, high), "CHECKPOINT")
        run(session, _rows(41, 50), "FLUSH")
        return [info.epoch for info in engine.durability.checkpoints()]


def test_nothing_is_lost_when_the_newest_checkpoints_are_damaged(tmp_path: Path) -> None:
    epochs = _database(tmp_path)
    for epoch in epochs[:2]:
        for part in _parts(tmp_path, epoch):
            part.write_bytes(part.read_bytes()[:-1] + b"?")
    with Engine(tmp_path) as engine:
        said = engine.restored or ""
        assert f"from checkpoint of epoch {epochs[2]} and" in said
        for epoch in epochs[:2]:
            assert f'; passed over the damaged checkpoint of epoch {epoch}: object "parts/' in said
        _check(engine, 50)
        run(engine.session(), _rows(51, 60), "CHECKPOINT")
        assert [info.epoch for info in engine.durability.checkpoints()][1:] == [epochs[2]]
    with Engine(tmp_path) as engine:
        assert "damaged" not in (engine.restored or "")
        _check(engine, 60)


def test_when_none_is_whole_it_stops_and_says_how_to_go_on(tmp_path: Path) -> None:
    epochs = _database(tmp_path)
    for epoch in epochs:
        for part in _parts(tmp_path, epoch):
            part.unlink()
    with pytest.raises(CorruptState, match=r"no checkpoint in .* can be restored") as stopped, Engine(tmp_path):
        pass
    assert all(f"checkpoint of epoch {epoch}: object" in str(stopped.value.detail) for epoch in epochs)
    assert stopped.value.hint is not None


def test_checkpoints_that_are_gone_are_missed(tmp_path: Path) -> None:
    """The log was not cut here, so it would give everything; a longer one gives an error."""
    _database(tmp_path)
    shutil.rmtree(tmp_path / "checkpoints" / "manifests")
    with Engine(tmp_path) as engine:
        _check(engine, 50)


def test_a_checkpoint_after_one_that_failed_holds_what_that_one_would_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Engine(tmp_path) as engine:
        session = engine.session()
        run(session, *_SETUP, _rows(1, 10), "CHECKPOINT", _rows(11, 20))
        with monkeypatch.context() as failing:
            failing.setattr(LocalObjects, "create", _refuse)
            with pytest.raises(StorageFailure, match="the disk is full"):
                run(session, "CHECKPOINT")
        run(session, "CREATE TABLE other (a int)", "CHECKPOINT")
        newest = engine.epoch
        token = newest - 2
    shutil.rmtree(tmp_path / "log")
    with Engine(tmp_path) as engine:
        assert engine.restored is not None
        assert engine.restored.startswith(f"restored epoch {newest} from checkpoint of epoch {newest} and 0 replayed")
        _check(engine, 20)
        assert run(engine.session(), f"SELECT count(*) AS n FROM t AS OF EPOCH {token}") == [(10,)]


def _refuse(*_: object) -> bool:
    raise StorageFailure("the disk is full")


def test_an_empty_database_needs_no_checkpoint(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine:
        run(engine.session(), "CHECKPOINT")
        assert engine.durability.checkpoints() == []


def test_the_log_reaches_back_to_the_oldest_that_is_fallen_back_to(tmp_path: Path) -> None:
    epochs = _database(tmp_path)
    with Engine(tmp_path) as engine:
        assert engine.durability.log.first_epoch <= epochs[-1] + 1


# ---------------------------------------------------------------------- in an object store


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with start_s3() as endpoint:
        yield endpoint


@pytest.fixture
def url(endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    s3_environment(endpoint, monkeypatch)
    return f"s3://bucket/{tmp_path.name}"


def test_checkpoints_in_s3_and_the_log_here(url: str, tmp_path: Path) -> None:
    with Engine(tmp_path / "data", checkpoints=CheckpointSettings(url)) as engine:
        run(engine.session(), *_SETUP, _rows(1, 10), "CHECKPOINT", _rows(11, 20), "FLUSH")
    assert not list((tmp_path / "data" / "checkpoints").iterdir())
    with Engine(tmp_path / "data") as engine:  # where they are is remembered
        assert "from checkpoint of epoch" in (engine.restored or "")
        _check(engine, 20)


def test_a_machine_that_is_lost_is_replaced(url: str, tmp_path: Path) -> None:
    with Engine(tmp_path / "data", checkpoints=CheckpointSettings(url)) as engine:
        run(engine.session(), *_SETUP, _rows(1, 10), "CHECKPOINT", _rows(11, 20), "FLUSH")
        with Engine(tmp_path / "new", checkpoints=CheckpointSettings(url)) as replacing:
            _check(replacing, 10)
            assert "there was no log: what came after that epoch is lost" in (replacing.restored or "")
            run(replacing.session(), _rows(11, 15), "CHECKPOINT")
            with pytest.raises(StorageFailure, match="another process has taken over the checkpoints"):
                run(engine.session(), "CHECKPOINT")
    with Engine(tmp_path / "new", checkpoints=CheckpointSettings(url)) as engine:
        _check(engine, 15)
        assert "lost" not in (engine.restored or "")


def test_no_two_databases_share_a_place(url: str, tmp_path: Path) -> None:
    with Engine(tmp_path / "data", checkpoints=CheckpointSettings(url)) as engine:
        run(engine.session(), *_SETUP, "CHECKPOINT")
    with Engine(tmp_path / "other") as engine:
        run(engine.session(), *_SETUP, "CHECKPOINT")
    with pytest.raises(InvalidParameter, match=r"the checkpoints of data directory .* are in") as refused:
        Engine(tmp_path / "other", checkpoints=CheckpointSettings(url))
    assert "constellation checkpoints clone" in (refused.value.hint or "")
    (tmp_path / "other" / "identity").unlink()
    with pytest.raises(InvalidParameter, match="are those of another database"):
        Engine(tmp_path / "other", checkpoints=CheckpointSettings(url))
    with Engine(tmp_path / "other") as engine:  # the refusals have changed nothing
        assert run(engine.session(), _STATE) == [(0, None)]


def test_a_store_that_lost_everything_is_noticed(url: str, tmp_path: Path) -> None:
    with Engine(tmp_path / "data", checkpoints=CheckpointSettings(url)) as engine:
        run(engine.session(), *_SETUP, _rows(1, 10), "CHECKPOINT")
    with Engine(tmp_path / "new", checkpoints=CheckpointSettings(url)) as engine:
        run(engine.session(), _rows(11, 20), "CHECKPOINT")
        objects = engine.durability.store._objects
        objects.delete([info.name for info in objects.list("manifests/")])
    with pytest.raises(HistoryExpired), Engine(tmp_path / "new"):
        pass
