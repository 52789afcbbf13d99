"""``python -m bench.spill``: a view with more state than its budget of memory, beside the same in memory.

Keys are drawn by Zipf's law, as ids that lie scattered. What is compared is rows a second after the first answer, and
resident memory beyond that of the empty engine, at its most, looked at every 10 ms. The answer is checked with numpy.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import msgspec
import numpy as np
import pyarrow as pa

_BATCH = 65_536
_ROUNDS = 40


class Measured(msgspec.Struct):
    budget_mb: int
    state_mb: float
    most_mb: float
    rows_per_s: float
    answer_ok: bool


def perform(budget_mb: int, keys: int) -> Measured:
    from constellationdb import connect
    from constellationdb.storage.scratch.resident import resident

    with connect(state_memory_budget=f"{budget_mb}MB" if budget_mb else None) as database:
        database.execute("CREATE SOURCE s (k bigint, v bigint)")
        database.execute("CREATE MATERIALIZED VIEW sums AS SELECT k, count(*) AS n, sum(v) AS total FROM s GROUP BY k")
        empty, most, over = sum(resident()), 0, threading.Event()

        def watch() -> None:
            nonlocal most
            while not over.wait(0.01):
                most = max(most, sum(resident()) - empty)

        watcher = threading.Thread(target=watch)
        watcher.start()
        ids = np.random.default_rng(1).permutation(4 * keys)[:keys].astype(np.int64) * 1_000_003
        counts = np.zeros(keys, np.int64)
        for first in range(0, keys, _BATCH):
            _insert(database, ids, np.arange(first, min(first + _BATCH, keys)), counts)
        _wait(database)
        drawn = np.random.default_rng(2)
        rounds = [_ranks(drawn, keys) for _ in range(_ROUNDS)]
        began = time.perf_counter()
        for ranks in rounds:
            _insert(database, ids, ranks, counts)
        _wait(database)
        seconds = time.perf_counter() - began
        (state,) = database.sql("SELECT sum(bytes) FROM constellation.state").fetchall()[0]
        over.set()
        watcher.join()
        found = database.sql("SELECT count(*), sum(n), max(n), sum(total) FROM sums").fetchall()[0]
    expected = keys, counts.sum(), counts.max(), 3 * counts.sum()
    right = tuple(map(int, found)) == tuple(map(int, expected))
    return Measured(budget_mb, float(state) / 1e6, most / 1e6, _ROUNDS * _BATCH / seconds, right)


def _ranks(drawn: np.random.Generator, keys: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """By Zipf's law with exponent 1, as the inverse of its distribution."""
    ranks: np.ndarray[tuple[int], np.dtype[np.int64]] = np.exp(drawn.random(_BATCH) * np.log(keys)).astype(np.int64) - 1
    return ranks


def _insert(database: object, ids: object, ranks: object, counts: object) -> None:
    np.add.at(counts, ranks, 1)  # type: ignore[arg-type]
    rows = pa.record_batch({"k": ids[ranks], "v": np.full(len(ranks), 3)})  # type: ignore[index,arg-type]
    database.insert("s", rows)  # type: ignore[attr-defined]


def _wait(database: object) -> None:
    database.sql("SELECT count(*) FROM sums").fetchall()  # type: ignore[attr-defined]


def main() -> None:
    if len(sys.argv) > 2:
        sys.stdout.buffer.write(msgspec.json.encode(perform(int(sys.argv[1]), int(sys.argv[2]))))
        return
    keys = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000
    whole = _child(0, keys)
    print(whole)
    print(small := _child(max(int(whole.most_mb / 4), 1), keys))
    print(
        f"{small.rows_per_s / whole.rows_per_s:.0%} of the rate in memory; memory {small.most_mb / small.budget_mb:.0%}"
    )


def _child(budget_mb: int, keys: int) -> Measured:
    command = [sys.executable, "-m", "bench.spill", str(budget_mb), str(keys)]
    return msgspec.json.decode(subprocess.run(command, capture_output=True, check=True).stdout, type=Measured)


if __name__ == "__main__":
    main()
