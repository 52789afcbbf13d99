"""A data directory is created once, has one owner, and refuses what it cannot read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from constellationdb.errors import CorruptState, DirectoryInUse, FeatureNotSupported, InvalidParameter, StorageFailure
from constellationdb.storage.directory import DataDirectory


def test_creates_and_reopens(tmp_path: Path) -> None:
    for _ in range(2):
        with DataDirectory(tmp_path / "deep" / "data") as directory:
            assert (directory.root / "format").read_text() == "constellation data directory, format 2\n"
            assert directory.log.is_dir()
            assert directory.checkpoints.is_dir()
            assert directory.state.is_dir()


def test_finishes_a_creation_that_was_cut_short(tmp_path: Path) -> None:
    DataDirectory(tmp_path).close()
    (tmp_path / "format").rename(tmp_path / "format.tmp")
    (tmp_path / "state").rmdir()
    with DataDirectory(tmp_path) as directory:
        assert directory.state.is_dir()
    assert (tmp_path / "format").exists()


@pytest.mark.parametrize("name", ["photo.jpg", "log/access.log"])
def test_refuses_somebody_elses_directory(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(InvalidParameter, match="is not a constellation data directory") as refused:
        DataDirectory(tmp_path)
    assert refused.value.detail == f'it has no "format" file but holds "{Path(name).parts[0]}"'
    assert not (tmp_path / "checkpoints").exists()


def test_refuses_a_newer_format_and_lets_go(tmp_path: Path) -> None:
    DataDirectory(tmp_path).close()
    for text, error, message in [
        ("constellation data directory, format 3\n", FeatureNotSupported, "has format 3, this release reads up to 2"),
        ("", CorruptState, "does not name a data directory format"),
        ("constellation data directory, format 1\n\n", CorruptState, "does not name a data directory format"),
    ]:
        (tmp_path / "format").write_text(text)
        with pytest.raises(error, match=message):
            DataDirectory(tmp_path)
    (tmp_path / "format").write_text("constellation data directory, format 1\n")
    DataDirectory(tmp_path).close()


def test_a_path_that_cannot_be_a_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageFailure, match="could not open data directory"):
        DataDirectory(tmp_path / "file")


def test_a_second_process_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    child = "import sys; from constellationdb.storage.directory import *; "
    child += "DataDirectory(sys.argv[1]); print(flush=True); input()"
    owner = subprocess.Popen(
        [sys.executable, "-c", child, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    owner.stdout.readline()
    with pytest.raises(DirectoryInUse, match=f"is in use by process {owner.pid}$") as refused:
        DataDirectory(tmp_path)
    assert refused.value.hint == "stop that process, or give this one another directory"
    owner.kill()
    owner.communicate()
    DataDirectory(tmp_path).close()
