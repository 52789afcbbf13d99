"""What a checkpoint writes of each kind of state when one key in a hundred has changed: all that a directory gets.

Each kind is a view of its own in a database of its own. ``share``: of what the first checkpoint wrote, which has all of
it. Beside the operator's state that is the rows of the view, which change with it, and of a table under it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from bench.table import Table
from constellationdb.engine.engine import Engine

_BATCH = 65_536
_START = np.datetime64("2024-01-01", "us")
_KINDS = {
    "groups": "SELECT k, count(*) AS n, max(w) AS w FROM s GROUP BY k",
    "first rows": "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY k ORDER BY v) AS n FROM s) q WHERE n <= 3",
    "OVER": "SELECT k, v, sum(v) OVER (PARTITION BY k ORDER BY w) AS m FROM s",
    "OVER in order": "SELECT k, v, lag(v) OVER (PARTITION BY k ORDER BY ts) AS p FROM o",
    "sessions": "SELECT k, window_start, count(*) AS n, sum(v) AS m FROM SESSION(o, k, ts, INTERVAL '1 hour')"
    " GROUP BY k, window_start, window_end",
    "sessions of rows": "SELECT k, v, window_end FROM SESSION(o, k, ts, INTERVAL '1 hour')",
    "panes": "SELECT k, window_start, sum(v) AS m FROM HOP(o, ts, INTERVAL '1 hour', INTERVAL '4 hours')"
    " GROUP BY k, window_start, window_end",
    "rows that wait": "SELECT k, v, window_start FROM TUMBLE(o, ts, INTERVAL '10 days') EMIT ON WINDOW CLOSE",
    "temporal filter": "SELECT k, v FROM s WHERE at > now() - INTERVAL '1000 days'",
    "join": "SELECT a.k, a.v, b.w FROM s a JOIN s b ON b.k = a.k + 1",
    "recomputed": "SELECT k, string_agg(w, ',' ORDER BY v) AS w FROM s GROUP BY k",
    "lookup copy": "SELECT t.k, d.v FROM t LEFT JOIN d ON d.k = t.k % 2",
}


@dataclass(frozen=True)
class Share:
    kind: str
    keys: int
    full_mb: float
    changed_mb: float
    share: float
    answer_ok: bool  # whether the view has as many rows after a restart


def measure(keys: int) -> Iterator[Share]:
    for kind, query in _KINDS.items():
        directory = Path(tempfile.mkdtemp(prefix="constellation-bench-"))
        try:
            yield _share(directory, kind, query, keys)
        finally:
            shutil.rmtree(directory)


def _share(directory: Path, kind: str, query: str, keys: int) -> Share:
    with Engine(directory) as engine:
        session = engine.session()
        for text in (
            "CREATE SOURCE s (k bigint, v bigint, w text, ts timestamp, at timestamptz)",
            "CREATE SOURCE o (k bigint, v bigint, w text, ts timestamp, at timestamptz,"
            " WATERMARK FOR ts AS ts - INTERVAL '1 day')",
            "CREATE TABLE t (k bigint, v bigint, w text, ts timestamp, at timestamptz)",
            """CREATE LOOKUP TABLE d (k bigint PRIMARY KEY, v text)
               WITH (connector = 'inline', rows = '[[0, "even"], [1, "odd"]]')""",
            f"CREATE MATERIALIZED VIEW v AS {query}",
        ):
            list(session.execute(text))
        reads = engine.catalog.get("v").depends_on
        (relation,) = {name for name in ("s", "o", "t") if name in reads}
        _insert(engine, relation, np.arange(keys), 0)
        full = _written(engine)
        _insert(engine, relation, np.arange(0, keys, 100), 60)
        changed, rows = _written(engine), _rows(engine)
    with Engine(directory) as engine:
        return Share(kind, keys, full / 1e6, changed / 1e6, changed / full, _rows(engine) == rows)


def _rows(engine: Engine) -> object:
    (result,) = engine.session().execute("SELECT count(*) FROM v")
    return [batch.to_pylist() for batch in result.batches]


def _insert(engine: Engine, relation: str, keys: np.ndarray[tuple[int], np.dtype[np.int64]], later: int) -> None:
    now = np.datetime64(engine.clock.now_us(), "us")
    for first in range(0, len(keys), _BATCH):
        some = keys[first : first + _BATCH]
        columns = {
            "k": pa.array(some),
            "v": pa.array(some + later),
            "w": pa.array([f"{key + later:020d}" for key in some.tolist()]),
            "ts": pa.array(_START + some % 3600 * np.timedelta64(1, "s") + np.timedelta64(later, "m")),
            "at": pa.array(np.full(len(some), now)).cast(pa.timestamp("us", "UTC")),
        }
        engine.insert(relation, pa.record_batch(columns))
    list(engine.session().execute("FLUSH"))


def _written(engine: Engine) -> int:
    assert engine.durability.checkpoint() is not None
    assert engine.durability.last is not None
    return engine.durability.last[2]


def table_of(shares: list[Share]) -> str:
    table = Table(["state", "keys", "MB", "MB of a hundredth", "share"])
    for found in shares:
        table.add(
            found.kind, f"{found.keys:,}", f"{found.full_mb:.1f}", f"{found.changed_mb:.2f}", f"{found.share:.3f}"
        )
    return table.text()
