"""An engine and its Postgres port, started and stopped in the right order."""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from constellationdb import __version__
from constellationdb.engine.checkpoint_settings import CheckpointSettings
from constellationdb.engine.engine import Engine
from constellationdb.engine.python import PythonFunctions
from constellationdb.server.listener import Server
from constellationdb.storage.failpoint import disk_of_environment
from constellationdb.wire.limits import Limits

PORT = 5433


@dataclass(frozen=True)
class Running:
    engine: Engine
    host: str
    port: int

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"postgres://constellation@{host}:{self.port}/constellation"

    @property
    def psql(self) -> str:
        return f"psql -h {self.host} -p {self.port} -d constellation"


@contextmanager
def running(
    directory: Path | None,
    host: str,
    port: int,
    *,
    workers: int = 1,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    python_functions: bool = False,
    checkpoints: CheckpointSettings = CheckpointSettings(),  # noqa: B008 - frozen
) -> Iterator[Running]:
    """Everything is up when the body begins; clients go first and the engine last when it ends.

    ``python_functions``: clients may define functions in Python.
    """
    functions = PythonFunctions(sources=python_functions)
    engine = Engine(
        directory,
        workers=workers,
        processes=workers > 1,
        python=functions,
        checkpoints=checkpoints,
        disk=disk_of_environment(),
    )
    try:
        engine.start()
        with Server(engine, host, port, limits=limits) as server:
            _leave_out_of_collections()
            yield Running(engine, *server.address)
    finally:
        engine.close()


def _leave_out_of_collections() -> None:
    """What is there now stays: walking over it took each full garbage collection a tenth of a second."""
    gc.collect()
    gc.freeze()


def banner(database: Running, directory: Path | None) -> str:
    """What a person needs to know now: where it is, what it holds, how to talk to it."""
    place = f"data in {directory}" if directory else "in memory: nothing survives this process"
    lines = [f"Constellation {__version__} on {database.host} port {database.port}, {place}"]
    if database.engine.restored:
        lines.append(database.engine.restored)
    return "\n".join([*lines, f"  {database.psql}", "Ctrl-C stops it."])


@contextmanager
def until_stopped() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, instead of ending the process where it stands."""
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
