"""A file system that is really full: a tmpfs of a few megabytes under the log, the checkpoints, or the files of a sink.

What was acknowledged stays; CHECKPOINT fails and works again once there is room; a full log ends the life of the
database, and the next one has everything; a sink waits.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from constellationdb.engine.engine import Engine
from tests.faults.workload import Workload, rows

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root may mount a small file system"
)
PATIENCE_S = 60.0


@contextmanager
def small(folder: Path) -> Iterator[Path]:
    """``folder`` on a file system of two megabytes. Yields a file in it that can be made to take all the room."""
    folder.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"a file system cannot be mounted here: {mounted.stderr.decode()}")
    try:
        yield folder / "ballast"
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass


def test_the_log_is_full(tmp_path: Path) -> None:
    workload = Workload(tmp_path)
    with small(workload.data / "log") as ballast:
        with workload.opened() as engine:
            workload._define(engine)
            workload.insert(engine, 20)
            assert not workload.errors
            fill(ballast)
            while not workload.errors:
                workload.insert(engine, 500)
            first = workload.errors[0]
            assert "No space left on device" in f"{first.message} {first.detail}", first.message
            assert not workload.say(engine, "INSERT INTO t VALUES (-1, 1)"), "nothing is acknowledged any more"
        ballast.unlink()
        workload.check()


def test_checkpoints_are_full(tmp_path: Path) -> None:
    workload = Workload(tmp_path)
    with small(workload.data / "checkpoints") as ballast:
        with workload.opened() as engine:
            workload._define(engine)
            workload.insert(engine, 20)
            assert workload.say(engine, "CHECKPOINT")
            fill(ballast)
            workload.insert(engine, 20)
            assert not workload.say(engine, "CHECKPOINT")
            assert workload.errors[-1].sqlstate == "58030"
            assert "No space left on device" in workload.errors[-1].message
            workload.insert(engine, 20)
            assert len(workload.errors) == 1, "statements go on"
            ballast.unlink()
            assert workload.say(engine, "CHECKPOINT")
        workload.check()


def test_a_sink_is_full(tmp_path: Path) -> None:
    workload = Workload(tmp_path)
    with small(workload.out) as ballast:
        with workload.opened() as engine:
            workload._define(engine)
            workload.insert(engine, 20)
            assert workload.say(engine, "WAIT")
            fill(ballast)
            workload.insert(engine, 20)
            assert "No space left on device" in await_sink(engine, "retrying")
            assert workload.say(engine, "CHECKPOINT")
            ballast.unlink()
            await_sink(engine, "running")
        assert not workload.errors
        workload.check()


def await_sink(engine: Engine, state: str) -> str:
    """Until the sink is in this state; its error."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        ((found, error),) = rows(engine, "SELECT state, error FROM constellation.sinks")
        if found == state:
            return str(error)
        assert time.monotonic() < deadline, f"{found}: {error}"
        time.sleep(0.02)
