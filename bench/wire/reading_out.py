"""A statement that reads the table, run often enough to see what it costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.wire.client import RawClient
from bench.wire.line import Line
from bench.wire_probe import Wire

# The system counts a process's CPU time in hundredths of a second.
_LEAST_CPU_S = 1.0


@dataclass(frozen=True)
class Read:
    """``goal``: rows in a CPU second of the server."""

    ask: Callable[[RawClient], bytearray]
    is_right: Callable[[bytearray, int], bool]
    goal: int


def measured(case: str, read: Read, wire: Wire, rows: int) -> Line:
    client = RawClient(wire.url)
    try:
        answer = read.ask(client)
        right, runs, used = read.is_right(answer, rows), 0, 0.0
        before = _cpu_seconds(wire)
        while used < _LEAST_CPU_S:
            right &= len(read.ask(client)) == len(answer)
            runs += 1
            used = _cpu_seconds(wire) - before
    finally:
        client.close()
    seconds = used / runs
    rate = rows / seconds
    return Line(
        case, rows, round(len(answer) / 1e6, 1), round(seconds, 4), round(rate), round(rate / read.goal, 2), right
    )


def _cpu_seconds(wire: Wire) -> float:
    used = wire.cpu_seconds()
    if used is None:
        raise RuntimeError("this system does not tell what another process costs")
    return used
