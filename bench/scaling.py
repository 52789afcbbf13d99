"""``python -m bench scaling``: the same views on one worker, which is a thread of the server, and on worker processes.

Rows are inserted batch by batch into a push source; the clock runs from the first row to the view's answer over all of
them, so it has everything: taking rows in, sending them to workers, exchange between these, and what comes back to the
view. Every number of workers has an engine of its own, in this process, and they take turns; the best of some rounds
counts. The answers are compared. Beside the clock stands the CPU time of all processes: that is what workers cost.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from bench.table import Table
from constellationdb.engine.engine import Engine
from constellationdb.engine.session import Session

_TABLE = "SELECT g AS k, 'name ' || g % 1000 AS name, g % 50 AS grade FROM generate_series(0, {keys} - 1) AS g"
CASES = {
    "sums": ("SELECT k, count(*) AS n, sum(v) AS v, max(v) AS most, avg(w) AS w FROM s GROUP BY k", 100_000),
    "sums, few keys": ("SELECT k, count(*) AS n, sum(v) AS v, max(v) AS most, avg(w) AS w FROM s GROUP BY k", 1_000),
    "words": (
        "SELECT upper(substr(word, 1, 6)) AS w, count(*) AS n, sum(v) AS v, count(DISTINCT k) AS keys FROM s"
        " WHERE word ~ '^[a-f0-9]+[02468]' GROUP BY 1",
        1_000,
    ),
    "join": ("SELECT d.name, count(*) AS n, sum(s.v) AS v FROM s JOIN d ON s.k = d.k GROUP BY d.name", 100_000),
}


@dataclass(frozen=True)
class Line:
    case: str
    batch: int  # rows of one insert
    workers: int
    rows_per_s: int
    cpu_seconds: float  # of all processes
    speed_up: float  # over one worker
    answer_ok: bool


class _Side:
    """An engine with so many workers, and the view of a case in it."""

    def __init__(self, query: str, keys: int, workers: int) -> None:
        self._engine = Engine(workers=workers, processes=workers > 1).start()
        self._session = self._engine.session()
        self._do("CREATE SOURCE s (k bigint, v bigint, w double precision, word text)")
        self._do(
            "CREATE TABLE d (k bigint PRIMARY KEY, name text, grade int)", "INSERT INTO d " + _TABLE.format(keys=keys)
        )
        self._do(f"CREATE MATERIALIZED VIEW m AS {query}")

    def _do(self, *statements: str) -> None:
        for statement in statements:
            for result in self._session.execute(statement):
                for _ in result.batches or ():
                    pass

    def timed(self, batches: Sequence[pa.RecordBatch]) -> tuple[float, float]:
        """(seconds, CPU seconds) for all of them."""
        cpu, begin = self._cpu(), time.perf_counter()
        for batch in batches:
            self._engine.insert("s", batch)
        self._do("WAIT")
        return time.perf_counter() - begin, self._cpu() - cpu

    def _cpu(self) -> float:
        pool = self._engine.pool
        return time.process_time() + sum(_cpu_of(p.popen.pid) for p in ([] if pool is None else pool.processes))

    def answer(self) -> list[tuple[object, ...]]:
        return sorted(_rows(self._session, "SELECT * FROM m"))

    def close(self) -> None:
        self._engine.close()


def _rows(session: Session, query: str) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    for result in session.execute(query):
        for batch in result.batches or ():
            found += zip(*(column.to_pylist() for column in batch.columns), strict=True)
    return found


def _cpu_of(pid: int) -> float:
    """From /proc, so on Linux only."""
    with open(f"/proc/{pid}/stat") as stat:
        user, system = stat.read().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _batches(rows: int, batch: int, keys: int, seed: int) -> list[pa.RecordBatch]:
    random = np.random.default_rng(seed)
    return [
        pa.record_batch(
            {
                "k": random.integers(0, keys, batch),
                "v": random.integers(0, 1000, batch),
                "w": random.integers(0, 1000, batch) / 8,
                "word": pa.array([f"{n:x}" for n in random.integers(0, 1 << 30, batch).tolist()]),
            }
        )
        for _ in range(max(rows // batch, 1))
    ]


def measure(names: Sequence[str], rows: int, sizes: Sequence[int], workers: Sequence[int], rounds: int) -> list[Line]:
    lines: list[Line] = []
    for name in names:
        query, keys = CASES[name]
        for size in sizes:
            lines += _measured(name, query, keys, rows, size, workers, rounds)
    return lines


def _measured(
    name: str, query: str, keys: int, rows: int, size: int, workers: Sequence[int], rounds: int
) -> list[Line]:
    sides = {n: _Side(query, keys, n) for n in workers}
    try:
        best: dict[int, tuple[float, float]] = {}
        for number in range(rounds + 1):
            batches = _batches(rows, size, keys, number)
            for n, side in sides.items():
                found = side.timed(batches)
                if number:  # the first round takes the memory that the others use again
                    best[n] = min(best.get(n, found), found)
        answers = {n: side.answer() for n, side in sides.items()}
    finally:
        for side in sides.values():
            side.close()
    done, alone = sum(b.num_rows for b in batches), best[workers[0]][0]
    return [
        Line(name, size, n, round(done / best[n][0]), round(best[n][1], 2), round(alone / best[n][0], 2),
             answers[n] == answers[workers[0]] and len(answers[n]) > 0)
        for n in workers
    ]  # fmt: skip


def table_of(lines: Sequence[Line]) -> str:
    table = Table(("case", "rows a batch", "workers", "rows/s", "CPU s", "speed-up", "answer"))
    for line in lines:
        table.add(
            line.case,
            f"{line.batch:,}",
            str(line.workers),
            f"{line.rows_per_s:,}",
            f"{line.cpu_seconds:.2f}",
            f"{line.speed_up:.2f}",
            "ok" if line.answer_ok else "WRONG",
        )
    return table.text()
