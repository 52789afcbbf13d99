"""``python -m bench latency``: one row in by INSERT, out by SUBSCRIBE, both through the Postgres port.

    idle     nothing else happens
    views    a hundred other views of other tables are there
    loaded   a view over a generated source keeps the server's process at half a core
    steady   1,000 one-row INSERTs a second: the longest time in which nothing arrives

Client and server are different processes of one machine. Latency is from
before the INSERT is sent until the subscriber has read the row.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from bench.table import Table
from bench.wire_probe import Subscriber, Wire, serving

_IDLE_VIEWS = 100
_PAUSE_S = 0.004
_STEADY_PER_S = 1_000
_WRITERS = 4
_FIRST_RATE = 200_000
_CALIBRATION_S = 2.0


@dataclass(frozen=True)
class Line:
    """Milliseconds. ``answer_ok``: every row came, once."""

    case: str
    rows: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    max_gap_ms: float
    rows_per_s: float
    answer_ok: bool


def measure(names: Sequence[str], rows: int, seconds: int) -> Iterator[Line]:
    for name in names:
        with serving() as wire:
            wire.execute("CREATE TABLE reading (id bigint, v bigint)")
            wire.execute("CREATE MATERIALIZED VIEW seen AS SELECT id, v + 1 AS v FROM reading WHERE v >= 0")
            yield CASES[name](name, wire, rows, seconds)


def _idle(name: str, wire: Wire, rows: int, seconds: int) -> Line:  # noqa: ARG001
    return _one_by_one(name, wire, rows)


def _views(name: str, wire: Wire, rows: int, seconds: int) -> Line:  # noqa: ARG001
    with wire.connect() as connection:
        for i in range(_IDLE_VIEWS):
            connection.execute(f"CREATE TABLE other{i} (k int, v int)".encode())
            view = f"CREATE MATERIALIZED VIEW idle{i} AS SELECT k, sum(v) AS v FROM other{i} GROUP BY k"
            connection.execute(view.encode())
            connection.execute(f"INSERT INTO other{i} VALUES (1, 1)".encode())
    return _one_by_one(name, wire, rows)


def _loaded(name: str, wire: Wire, rows: int, seconds: int) -> Line:  # noqa: ARG001
    _load(wire, "probe", _FIRST_RATE)
    before = wire.cpu_seconds()
    time.sleep(_CALIBRATION_S)
    after = wire.cpu_seconds()
    wire.execute("DROP MATERIALIZED VIEW probe_view", "DROP SOURCE probe")
    used = 0.25 if before is None or after is None else max((after - before) / _CALIBRATION_S, 0.02)
    _load(wire, "half", int(_FIRST_RATE * 0.5 / used))
    time.sleep(_CALIBRATION_S / 2)
    return _one_by_one(name, wire, rows)


def _load(wire: Wire, name: str, rate: int) -> None:
    wire.execute(
        f"CREATE SOURCE {name} (auction bigint, price bigint) "
        f"WITH (connector = 'generator', preset = 'nexmark', rate = '{rate}')",
        f"CREATE MATERIALIZED VIEW {name}_view AS SELECT auction % 1000 AS k, count(*) AS n, max(price) AS most "
        f"FROM {name} GROUP BY auction % 1000",
    )


def _one_by_one(name: str, wire: Wire, rows: int) -> Line:
    sent: dict[int, float] = {}
    with ExitStack() as stack:
        subscriber = Subscriber(wire, "seen")
        stack.callback(subscriber.close)
        writer = stack.enter_context(wire.connect())
        for number in range(-20, rows):  # twenty to warm up
            sent[number] = time.perf_counter()
            writer.execute(b"INSERT INTO reading VALUES (%d, 1)" % number)
            subscriber.wait_for(number)
            time.sleep(_PAUSE_S)
        return _line(name, {n: t for n, t in sent.items() if n >= 0}, subscriber)


def _steady(name: str, wire: Wire, rows: int, seconds: int) -> Line:  # noqa: ARG001
    """The writers take turns; one that is late sends at once, so the rate is kept on average."""
    total = seconds * _STEADY_PER_S
    sent: dict[int, float] = {}
    subscriber = Subscriber(wire, "seen")
    begin = time.perf_counter() + 0.2

    def write(first: int) -> None:
        with wire.connect() as connection:
            for number in range(first, total, _WRITERS):
                pause = begin + number / _STEADY_PER_S - time.perf_counter()
                if pause > 0:
                    time.sleep(pause)
                sent[number] = time.perf_counter()
                connection.execute(b"INSERT INTO reading VALUES (%d, 1)" % number)

    threads = [threading.Thread(target=write, args=(first,)) for first in range(_WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    subscriber.wait_for_count(total)
    subscriber.close()
    return _line(name, sent, subscriber)


def _line(name: str, sent: dict[int, float], subscriber: Subscriber) -> Line:
    came = [subscriber.arrived[n] for n in sent if n in subscriber.arrived]
    took = np.array([(subscriber.arrived[n] - t) * 1e3 for n, t in sent.items() if n in subscriber.arrived])
    times = np.sort(np.array(came))
    gap = float(np.diff(times).max()) * 1e3
    p50, p99 = np.percentile(took, [50, 99])
    whole = len(came) == len(sent) and subscriber.twice == 0
    rate = len(came) / float(times[-1] - times[0])
    middle, high, worst, longest, steady = (round(float(f), 2) for f in (p50, p99, took.max(), gap, rate))
    return Line(name, len(sent), middle, high, worst, longest, steady, whole)


CASES: dict[str, Callable[[str, Wire, int, int], Line]] = {
    "idle": _idle,
    "views": _views,
    "loaded": _loaded,
    "steady": _steady,
}


def table_of(lines: Sequence[Line]) -> str:
    table = Table(("case", "rows", "p50 ms", "p99 ms", "max ms", "longest gap ms", "rows/s", "answer"))
    for line in lines:
        figures = (line.p50_ms, line.p99_ms, line.max_ms, line.max_gap_ms, line.rows_per_s)
        right = "right" if line.answer_ok else "WRONG"
        table.add(line.case, str(line.rows), *(f"{f:.2f}" for f in figures), right)
    return table.text()
