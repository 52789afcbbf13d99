"""Going back, cut short at any step: what is there afterwards is the one or the other, and nothing between."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from constellationdb.engine.checkpoint_settings import CheckpointSettings
from constellationdb.engine.engine import Engine
from constellationdb.engine.going_back import finish_going_back, go_back
from constellationdb.errors import StorageFailure
from constellationdb.storage.buffers import Bytes
from constellationdb.storage.directory import DataDirectory
from constellationdb.storage.disk import ASIDE, Disk
from tests.unit.engine.statements import run

_STATE = "SELECT count(*)::int AS n FROM t"


class PowerCut(BaseException):
    pass


class DyingDisk(Disk):
    """Does so many steps, and none after them."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def _step(self) -> None:
        if self.left == 0:
            raise PowerCut
        self.left -= 1

    def write(self, fd: int, data: Bytes) -> None:
        self._step()
        super().write(fd, data)

    def sync(self, fd: int) -> None:
        self._step()
        super().sync(fd)

    def sync_directory(self, path: Path) -> None:
        self._step()
        super().sync_directory(path)

    def rename(self, path: Path, to: Path) -> None:
        self._step()
        super().rename(path, to)

    def link(self, path: Path, to: Path) -> None:
        self._step()
        super().link(path, to)

    def remove(self, path: Path) -> None:
        self._step()
        super().remove(path)


@dataclass(frozen=True)
class Database:
    """With one row at ``savepoint``, and five now. The log begins at that savepoint, or later: see ``log_begins``."""

    root: Path
    savepoint: int


@pytest.fixture(scope="module", params=["log reaches back", "log begins later"])
def database(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Database:
    root = tmp_path_factory.mktemp("going-back") / "data"
    kept = 8 if request.param == "log reaches back" else 1
    for number in range(1, 6):
        with Engine(root, checkpoints=CheckpointSettings(kept=kept)) as engine:
            session = engine.session()
            if number == 1:
                run(session, "CREATE TABLE t (a int)")
            run(session, f"INSERT INTO t VALUES ({number})", "CHECKPOINT")
            if number == 1:
                run(session, "CREATE SAVEPOINT one")
                savepoint = engine.durability.checkpoints()[0].epoch
            if number == 3:
                run(session, "CREATE SAVEPOINT three")
    return Database(root, savepoint)


def _content(root: Path) -> dict[str, bytes]:
    """What makes a difference to who opens it."""
    files = [*root.glob("log/*.wal"), *root.glob("checkpoints/manifests/*"), *root.glob("checkpoints/names/*")]
    return {str(path.relative_to(root)): path.read_bytes() for path in files if path.suffix != ASIDE}


def _rows(root: Path) -> list[tuple[object, ...]]:
    with Engine(root) as engine:
        return run(engine.session(), _STATE)


def _cut_short(database: Database, root: Path, steps: int) -> bool:
    """Whether it was done before the power went."""
    shutil.copytree(database.root, root)
    with DataDirectory(root) as directory:
        try:
            go_back(directory, database.savepoint, disk=DyingDisk(steps))
        except (PowerCut, StorageFailure):
            return False
    return True


def test_a_power_cut_at_any_step(database: Database, tmp_path: Path) -> None:
    before, seen = _content(database.root), set()
    for steps in range(1, 200, 3):
        root = tmp_path / str(steps)
        if done := _cut_short(database, root, steps):
            break
        if (root / "going-back").exists():
            with DataDirectory(root) as directory:
                with pytest.raises((PowerCut, StorageFailure)):
                    finish_going_back(directory, DyingDisk(steps % 3))
                finish_going_back(directory)
            after = {f"checkpoints/manifests/{database.savepoint:020}", "checkpoints/names/one"}
            assert {name for name in _content(root) if not name.startswith("log/")} == after
            seen.add("gone back")
        elif seen <= {"as before"}:
            assert _content(root) == before
            seen.add("as before")
    assert done
    assert seen == {"as before", "gone back"}
    assert _rows(root) == [(1,)]


def test_what_is_cut_off_is_kept(database: Database, tmp_path: Path) -> None:
    """Also when the same is done twice, and cut short in between."""
    root = tmp_path / "data"
    for steps in (25, 30, 35):
        shutil.rmtree(root, ignore_errors=True)
        _cut_short(database, root, steps)
        with DataDirectory(root) as directory:
            went = finish_going_back(directory)
        assert went is not None
        assert went.log is not None
        for path in (database.root / "log").glob("*.wal"):
            assert (went.log / path.name).read_bytes() == path.read_bytes()


def test_who_opens_it_finishes_it_and_says_so(database: Database, tmp_path: Path) -> None:
    root = tmp_path / "data"
    _cut_short(database, root, 30)
    with Engine(root) as engine:
        assert "were undone" in (engine.restored or "")
        assert run(engine.session(), _STATE) == [(1,)]
