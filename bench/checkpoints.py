"""``python -m bench checkpoints``: how long checkpoints take, what they write, and what they cost those who go on.

Two views over a stream, of counts and sums by key and of the greatest of texts of a hundred bytes: rows, groups and
operator state, so many that the first checkpoint has about the megabytes asked for. Then one key in a hundred changes.
``busy_share``: how fast rows go through the views with a checkpoint begun every second, beside without any. The answer
after the restart is compared with the one before it.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from bench.child import pin
from bench.table import Table
from constellationdb.engine.engine import Engine

_BYTES_A_KEY = 430  # of table, view and state, once measured
_BATCH = 65_536
_BUSY_SECONDS = 10.0
_VIEW = "SELECT k, count(*) AS n, sum(v) AS s, max(v) AS m FROM t GROUP BY k"


@dataclass(frozen=True)
class Line:
    case: str
    keys: int
    megabytes: float
    seconds: float
    longest_epoch_ms: float  # that a one-row INSERT took meanwhile
    busy_share: float | None
    answer_ok: bool


def measure(megabytes: int, core: int) -> Iterator[Line]:
    pin(core)
    directory = Path(tempfile.mkdtemp(prefix="constellation-bench-"))
    try:
        yield from _Bench(directory, megabytes * 1_000_000 // _BYTES_A_KEY).lines()
    finally:
        shutil.rmtree(directory)


class _Bench:
    def __init__(self, directory: Path, keys: int) -> None:
        self._directory, self._keys = directory, keys

    def lines(self) -> Iterator[Line]:
        with Engine(self._directory) as engine:
            session = engine.session()
            for text in ("CREATE SOURCE t (k bigint, v bigint, w text)", "CREATE TABLE one (a int)",
                         f"CREATE MATERIALIZED VIEW totals AS {_VIEW}",
                         "CREATE MATERIALIZED VIEW latest AS SELECT k, max(w) AS w FROM t GROUP BY k"):  # fmt: skip
                list(session.execute(text))
            self._insert(engine, np.arange(self._keys))
            yield self._checkpoint(engine, "full")
            self._insert(engine, np.arange(0, self._keys, 100))
            yield self._checkpoint(engine, "1 % changed")
            yield self._checkpoint(engine, "nothing changed")
            alone, beside = self._rate(engine, checkpoints=False), self._rate(engine, checkpoints=True)
            yield Line("beside rows", self._keys, 0.0, 2 * _BUSY_SECONDS, 0.0, beside / alone, True)
            self._checkpoint(engine, "before the restart")
            total = self._total(engine)
        begin = time.perf_counter()
        with Engine(self._directory) as engine:
            seconds = time.perf_counter() - begin
            yield Line("restart", self._keys, self._size(), seconds, 0.0, None, self._total(engine) == total)

    def _insert(self, engine: Engine, keys: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
        for first in range(0, len(keys), _BATCH):
            some = keys[first : first + _BATCH]
            texts = pa.array([f"{key:0100d}" for key in some.tolist()])
            engine.insert("t", pa.record_batch({"k": some, "v": some, "w": texts}))
        list(engine.session().execute("WAIT"))

    def _checkpoint(self, engine: Engine, case: str) -> Line:
        list(engine.session().execute("INSERT INTO one VALUES (1)"))
        longest, stopping = [0.0], threading.Event()
        thread = threading.Thread(target=self._insert_one_by_one, args=(engine, longest, stopping))
        thread.start()
        begin = time.perf_counter()
        taken = engine.durability.checkpoint()
        seconds = time.perf_counter() - begin
        stopping.set()
        thread.join()
        written = engine.durability.last
        size = 0.0 if written is None else written[2] / 1e6
        return Line(case, self._keys, size, seconds, 1000 * longest[0], None, taken is not None)

    def _insert_one_by_one(self, engine: Engine, longest: list[float], stopping: threading.Event) -> None:
        row = pa.record_batch({"a": pa.array([1], pa.int32())})
        while not stopping.is_set():
            begin = time.perf_counter()
            engine.insert("one", row)
            longest[0] = max(longest[0], time.perf_counter() - begin)

    def _rate(self, engine: Engine, *, checkpoints: bool) -> float:
        """Rows a second into the totals, of keys at random."""
        random = np.random.default_rng(1)
        stopping = threading.Event()
        thread = threading.Thread(target=self._take_checkpoints, args=(engine, stopping))
        if checkpoints:
            thread.start()
        keys = [random.integers(0, self._keys, _BATCH) for _ in range(8)]
        texts = pa.array(["w"] * _BATCH)
        batches = [pa.record_batch({"k": some, "v": some, "w": texts}) for some in keys]
        begin, rows = time.perf_counter(), 0
        while time.perf_counter() - begin < _BUSY_SECONDS:
            engine.insert("t", batches[(rows // _BATCH) % len(batches)])
            rows += _BATCH
            if rows % (8 * _BATCH) == 0:
                list(engine.session().execute("WAIT"))
        list(engine.session().execute("WAIT"))
        seconds = time.perf_counter() - begin
        stopping.set()
        if checkpoints:
            thread.join()
        return rows / seconds

    def _take_checkpoints(self, engine: Engine, stopping: threading.Event) -> None:
        while not stopping.wait(1.0):
            engine.durability.checkpoint()

    def _total(self, engine: Engine) -> list[dict[str, object]]:
        sums = "count(*) AS keys, sum(n) AS n, sum(s) AS s, max(m) AS m, max(w) AS w"
        (result,) = engine.session().execute(f"SELECT {sums} FROM totals JOIN latest USING (k)")
        return [row for batch in result.batches for row in batch.to_pylist()]

    def _size(self) -> float:
        return sum(path.stat().st_size for path in self._directory.rglob("*") if path.is_file()) / 1e6


def table_of(lines: list[Line]) -> str:
    table = Table(["checkpoint", "keys", "MB", "seconds", "longest INSERT ms", "busy share", "right"])
    for line in lines:
        share = "" if line.busy_share is None else f"{line.busy_share:.2f}"
        table.add(line.case, f"{line.keys:,}", f"{line.megabytes:.1f}", f"{line.seconds:.2f}",
                  f"{line.longest_epoch_ms:.0f}", share, str(line.answer_ok))  # fmt: skip
    return table.text()
