"""The command as a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from constellationdb.storage.failpoint import VARIABLE

PATIENCE_S = 60.0


@dataclass
class Served:
    """A running ``constellation serve``: what it said until it was ready, and where it is."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def dsn(self) -> str:
        return f"postgres://tester@127.0.0.1:{self.port}/constellation"

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def rest(self) -> list[str]:
        """What it said after it was ready; once it has ended."""
        assert self.process.stdout is not None
        return self.process.stdout.read().splitlines()


class ServeEndedError(AssertionError):
    """It did before it was ready, with this code."""

    def __init__(self, code: int, lines: list[str]) -> None:
        super().__init__(f"serve ended with {code}: " + "\n".join(lines))
        self.code = code


Serve = Callable[..., Served]


def await_ready(served: Served) -> Served:
    assert served.process.stdout is not None
    for line in served.process.stdout:
        served.lines.append(line.rstrip())
        if found := re.search(r"psql -h 127.0.0.1 -p (\d+)", line):
            served.port = int(found[1])
            return served
    raise ServeEndedError(served.process.wait(PATIENCE_S), served.lines)


def constellation(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "constellationdb", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)


@contextmanager
def _servers() -> Iterator[Serve]:
    """Starts a server, ready when it returns; whatever still runs at the end is killed.

    ``failpoint``: see ``storage.failpoint``. ``kill_after`` so many seconds it is killed, ready or not.
    """
    running: list[Served] = []

    def start(directory: Path | None = None, failpoint: str | None = None, kill_after: float | None = None) -> Served:
        place = ["--dir", str(directory)] if directory else []
        command = [sys.executable, "-m", "constellationdb", "serve", "--listen", "127.0.0.1:0", *place]
        environment = os.environ | ({VARIABLE: failpoint} if failpoint else {})
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        served = Served(process)
        running.append(served)
        if kill_after is not None:
            threading.Timer(kill_after, process.kill).start()
        return await_ready(served)

    try:
        yield start
    finally:
        for served in running:
            served.process.kill()
            served.process.wait()
            assert served.process.stdout is not None
            served.process.stdout.close()


@pytest.fixture
def serve() -> Iterator[Serve]:
    with _servers() as start:
        yield start


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    """One for the tests that only talk to it, each under names of its own."""
    with _servers() as start:
        yield start()
