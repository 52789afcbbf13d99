"""``constellation serve`` as a fork of a process that has everything imported, which takes two seconds of CPU.

It is the same command in a process of its own: only what Python does before its first statement is done already.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import IO, cast

from constellationdb import jit
from constellationdb.cli import running  # noqa: F401 - what a server needs
from constellationdb.cli.main import main
from constellationdb.storage.failpoint import VARIABLE
from tests.e2e.conftest import PATIENCE_S, Serve, Served, await_ready

_HERE = "tests.e2e.torture.forked"

jit.compile_all()  # in the process that is forked


class ForkedProcess:
    """With the methods of a ``subprocess.Popen`` that are needed here."""

    def __init__(self, process: BaseProcess, stdout: IO[str]) -> None:
        self._process = process
        self.stdout = stdout

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("serve", timeout or 0.0)
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        if self._process.exitcode is None and self._process.pid is not None:
            with suppress(ProcessLookupError):  # it has killed itself a moment ago
                os.kill(self._process.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _serve(output: Connection, directory: str, failpoint: str | None) -> None:
    for number in (1, 2):
        os.dup2(output.fileno(), number)
    output.close()
    if failpoint:
        os.environ[VARIABLE] = failpoint
    sys.exit(main(["serve", "--listen", "127.0.0.1:0", "--dir", directory]))


@contextmanager
def forked_servers() -> Iterator[Serve]:
    """As ``tests.e2e.conftest`` has them."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", _HERE])
    forks: list[ForkedProcess] = []

    def start(directory: Path, failpoint: str | None = None, kill_after: float | None = None) -> Served:
        reader, writer = context.Pipe(duplex=False)
        process = context.Process(target=_serve, args=(writer, str(directory), failpoint))
        process.start()
        writer.close()
        forked = ForkedProcess(process, os.fdopen(os.dup(reader.fileno()), "r"))
        reader.close()
        forks.append(forked)
        if kill_after is not None:
            threading.Timer(kill_after, forked.kill).start()
        return await_ready(Served(cast("subprocess.Popen[str]", forked)))

    try:
        yield start
    finally:
        for forked in forks:
            forked.kill()
            forked.wait(PATIENCE_S)
            forked.stdout.close()
