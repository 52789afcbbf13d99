"""Every operation on the disk fails once, in every way: nothing acknowledged is lost, and who asked is told.

log             final: the statement gets an error, and so does every later one, until the database is opened again
checkpoints     CHECKPOINT gets an error, the next one works, and statements are not held up
sinks           tried again
while it opens  it does not; the next time it does
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from constellationdb.storage.failpoint import TORN, FailpointDisk
from tests.faults.workload import Workload

ALL = "CONSTELLATION_FAULTS" in os.environ
_LOG = {"write log", "sync log", "rename log", "names log", "remove log"}
STEPS = sorted(
    _LOG
    | {f"{what} {folder}" for what in ("write", "sync", "rename", "names") for folder in ("data", "parts")}
    | {
        f"{what} {folder}"
        for what in ("write", "sync", "link", "names", "remove")
        for folder in ("manifests", "owners")
    }
    | {f"{what} names" for what in ("write", "sync", "link", "names", "remove")}
    | {f"{what} _constellation" for what in ("write", "sync", "rename", "names", "remove")}
    | {"write checkpoints", "sync checkpoints", "link checkpoints", "names checkpoints", "remove parts"}
    | {"rename out", "names out", "names place"}
)


class CountingDisk(FailpointDisk):
    """How often each operation is come to."""

    def __init__(self) -> None:
        super().__init__("none", 0)
        self.counts: Counter[str] = Counter()

    def _is_due(self, what: str, folder: str) -> bool:
        with self._guard:
            self.counts[f"{what} {folder}"] += 1
        return False


@cache
def counts() -> Counter[str]:
    with TemporaryDirectory() as folder:
        place = Path(folder) / "place"
        place.mkdir()
        workload, disk = Workload(place), CountingDisk()
        workload.use(disk)
        assert not workload.errors
        workload.check()
        return disk.counts


def test_every_operation_is_known() -> None:
    assert set(counts()) == set(STEPS)


def cases() -> Iterator[tuple[str, str, float]]:
    """Step, outcome, and how far into it; each step once, unless all were asked for."""
    for number, step in enumerate(STEPS):
        outcomes = ["EIO", "ENOSPC", *([TORN] if step.startswith("write") else [])]
        several = [(step, outcome, part) for outcome in outcomes for part in (0.0, 0.5, 1.0)]
        yield from several if ALL else [several[number % len(several)]]


@pytest.mark.parametrize(("step", "outcome", "part"), [*cases()])
def test_it_fails(step: str, outcome: str, part: float, tmp_path: Path) -> None:
    (tmp_path / "place").mkdir()
    workload, disk = Workload(tmp_path / "place"), FailpointDisk(step, 1 + int(part * (counts()[step] - 1)), outcome)
    workload.use(disk)
    for error in workload.errors:
        assert error.sqlstate in ("58030", "53100", "XX000"), error.message
    if step in _LOG and disk.met:
        assert workload.errors, "nobody was told"
    workload.check()
    assert disk.met or part == 1.0
