"""Cutting the log behind an epoch: what is left, what is set aside, and what a cut that was interrupted leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from constellationdb.errors import HistoryExpired
from constellationdb.storage.disk import Disk
from constellationdb.storage.epochlog import FileEpochLog
from constellationdb.storage.rewinding import highest_epoch, rewind


def _write(directory: Path, epochs: range, segment_bytes: int = 140) -> None:
    """A log of several files, one epoch after the other."""
    log = FileEpochLog(directory, segment_bytes)
    for epoch in epochs:
        log.append(epoch, b"epoch %d" % epoch)
        log.sync()
    log.close()


def _read(directory: Path, begins: int = 1) -> tuple[int, list[int]]:
    log = FileEpochLog(directory, begins=begins)
    try:
        return log.first_epoch, [epoch for epoch, _ in log.read_from(log.first_epoch)]
    finally:
        log.close()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    _write(tmp_path / "log", range(1, 13))
    assert len(list((tmp_path / "log").glob("*.wal"))) == 4
    return tmp_path / "log"


@pytest.mark.parametrize("epoch", range(13))
def test_what_comes_after_is_set_aside(log: Path, tmp_path: Path, epoch: int) -> None:
    before = {path.name: path.read_bytes() for path in log.glob("*.wal")}
    rewind(log, epoch, tmp_path / "aside")
    assert _read(log, epoch + 1) == (1, list(range(1, epoch + 1)))
    aside = {path.name: path.read_bytes() for path in (tmp_path / "aside").glob("*")}
    assert all(before[name] == content for name, content in aside.items())
    assert {**{path.name: path.read_bytes() for path in log.glob("*.wal")}, **before, **aside} == before | (
        {} if epoch else {f"{1:020}.wal": before[f"{1:020}.wal"]}
    )
    assert bool(aside) == (epoch < 12)


def test_the_log_goes_on_from_there(log: Path, tmp_path: Path) -> None:
    rewind(log, 7, tmp_path / "aside")
    _write(log, range(20, 23))
    assert _read(log) == (1, [1, 2, 3, 4, 5, 6, 7, 20, 21, 22])


@pytest.mark.parametrize("damaged", [1, 4, 7])
def test_a_log_that_does_not_lead_there_is_set_aside_as_a_whole(log: Path, tmp_path: Path, damaged: int) -> None:
    path = log / f"{damaged:020}.wal"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    rewind(log, 11, tmp_path / "aside")
    assert len(list((tmp_path / "aside").glob("*.wal"))) == 4
    assert _read(log, 12) == (12, [])
    opened = FileEpochLog(log, begins=12)
    with pytest.raises(HistoryExpired):
        opened.read_from(11)
    opened.close()


def test_a_log_that_begins_later_is_set_aside_as_a_whole(log: Path, tmp_path: Path) -> None:
    opened = FileEpochLog(log)
    opened.truncate_before(8)
    opened.close()
    rewind(log, 3, tmp_path / "aside")
    assert _read(log, 4) == (4, [])


def test_damage_after_the_epoch_does_not_matter(log: Path, tmp_path: Path) -> None:
    path = log / f"{10:020}.wal"
    path.write_bytes(b"?")
    rewind(log, 5, tmp_path / "aside")
    assert _read(log) == (1, [1, 2, 3, 4, 5])


@pytest.mark.parametrize("steps", range(8))
def test_a_cut_that_was_interrupted_is_repeated(log: Path, tmp_path: Path, steps: int) -> None:
    class Dying(Disk):
        left = steps

        def sync_directory(self, path: Path) -> None:
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
            super().sync_directory(path)

    try:
        rewind(log, 5, tmp_path / "aside", Dying())
    except KeyboardInterrupt:
        first, epochs = _read(log)
        assert (first, epochs) == (1, list(range(1, len(epochs) + 1)))
        assert len(epochs) >= 5
    rewind(log, 5, tmp_path / "aside")
    assert _read(log) == (1, [1, 2, 3, 4, 5])


def test_the_highest_epoch_of_a_log_also_of_a_damaged_one(log: Path, tmp_path: Path) -> None:
    assert highest_epoch(tmp_path / "nothing") == 0
    assert highest_epoch(log) == 12
    path = log / f"{10:020}.wal"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert highest_epoch(log) == 11
    path.write_bytes(b"?")
    assert highest_epoch(log) == 9
