"""A process that kills itself at a chosen operation, and leaves what it had done until then."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from constellationdb.errors import InvalidParameter, StorageFailure
from constellationdb.storage.disk import DISK
from constellationdb.storage.epochlog import FileEpochLog
from constellationdb.storage.failpoint import VARIABLE, disk_of_environment

CHILD = """
import sys
from constellationdb.storage.epochlog import FileEpochLog
from constellationdb.storage.failpoint import disk_of_environment
log = FileEpochLog(sys.argv[1], segment_bytes=200, disk=disk_of_environment())
for epoch in range(1, 30):
    log.append(epoch, b"x" * 50)
    log.sync()
    log.truncate_before(epoch - 10)
"""


@pytest.mark.parametrize(
    ("failpoint", "durable"),
    [
        ("write log:3", 1),  # the first is the header of the file
        ("sync log:4", 3),
        ("rename log:2", 3),
        ("names log:2", 3),
        ("remove log:1", 14),
    ],
)
def test_it_ends_where_it_is_told_to(tmp_path: Path, failpoint: str, durable: int) -> None:
    place = tmp_path / "log"
    ended = subprocess.run(
        [sys.executable, "-c", CHILD, str(place)], env=os.environ | {VARIABLE: failpoint}, check=False
    )
    assert ended.returncode == -signal.SIGKILL
    log = FileEpochLog(place)
    assert log.durable_epoch == durable
    log.close()


@pytest.mark.parametrize(
    ("failpoint", "message"),
    [
        ("sync log:5 EIO", "Input/output error"),
        ("write log:5 ENOSPC", "No space left on device"),
        ("write log:5 torn", "Input/output error"),
    ],
)
def test_the_disk_fails_when_it_is_told_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failpoint: str, message: str
) -> None:
    monkeypatch.setenv(VARIABLE, failpoint)
    place = tmp_path / "log"
    log = FileEpochLog(place, disk=disk_of_environment())
    for epoch in range(1, 4):
        log.append(epoch, b"x" * 50)
        log.sync()
    log.append(4, b"x" * 50)
    with pytest.raises(StorageFailure, match=message):
        log.sync()
    (path,) = place.glob("*.wal")
    size = path.stat().st_size
    log.close()
    monkeypatch.delenv(VARIABLE)
    log = FileEpochLog(place)
    assert log.durable_epoch == (4 if "sync" in failpoint else 3)
    assert (log.recovered.cut_bytes > 0) == ("torn" in failpoint)
    assert path.stat().st_size == size - log.recovered.cut_bytes
    log.close()


def test_what_is_not_a_failpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert disk_of_environment() is DISK
    for value in ("sync log", "17", "sync log:x", ":3", "sync log:3 ENOWHERE", "sync log:3 EIO EIO"):
        monkeypatch.setenv(VARIABLE, value)
        with pytest.raises(InvalidParameter, match="invalid value for CONSTELLATION_FAILPOINT"):
            disk_of_environment()
