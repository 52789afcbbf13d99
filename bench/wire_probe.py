"""A server in a child process, and a subscriber that notes when each row arrives."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

_PATIENCE_S = 30.0


class Wire:
    """The URL of a running server, and what its process costs."""

    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self.pid = pid

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.url, autocommit=True)

    def execute(self, *statements: str) -> None:
        with self.connect() as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def cpu_seconds(self) -> float | None:
        """The server's CPU time so far; None where the system does not tell."""
        path = Path(f"/proc/{self.pid}/stat")
        if not path.exists():
            return None
        fields = path.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100


@contextmanager
def serving() -> Iterator[Wire]:
    child = subprocess.Popen(
        [sys.executable, "-m", "bench.latency_server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parent.parent,
        text=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        yield Wire(child.stdout.readline().strip(), child.pid)
    finally:
        child.stdin.close()
        child.wait(_PATIENCE_S)
        child.stdout.close()


class Subscriber:
    """Reads ``COPY (SUBSCRIBE …)`` on a thread; ``arrived`` maps a row's number to when it came."""

    def __init__(self, wire: Wire, view: str) -> None:
        self.arrived: dict[int, float] = {}
        self.twice = 0
        self._news = threading.Condition()
        self._connection = wire.connect()
        self._view = view
        self._thread = threading.Thread(target=self._read, name="subscriber", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            with self._connection.cursor().copy(f"COPY (SUBSCRIBE {self._view}) TO STDOUT".encode()) as copy:
                for data in copy:
                    now = time.perf_counter()
                    with self._news:
                        for line in bytes(data).splitlines():
                            self._note(int(line.split(b"\t")[2]), now)
                        self._news.notify_all()
        except psycopg.Error:
            return  # closed, from here or from there

    def _note(self, number: int, now: float) -> None:
        self.twice += number in self.arrived
        self.arrived[number] = now

    def wait_for(self, number: int) -> float:
        """When the row came; TimeoutError if it does not."""
        with self._news:
            if not self._news.wait_for(lambda: number in self.arrived, _PATIENCE_S):
                raise TimeoutError(f"row {number} was not seen within {_PATIENCE_S:.0f} s")
            return self.arrived[number]

    def wait_for_count(self, count: int) -> None:
        with self._news:
            self._news.wait_for(lambda: len(self.arrived) >= count, _PATIENCE_S)

    def close(self) -> None:
        self._connection.cancel_safe(timeout=5)
        self._thread.join(5)
        self._connection.close()
