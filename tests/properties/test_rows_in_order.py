"""Window functions over rows that come in order, but for late ones: the answers of all that is kept, and few rows kept.

Beside each view runs the same one over a relation without a watermark, which never frees a row and gets those that
are not late. Both must say the same of every epoch, also after restarts; in the end DuckDB answers, too.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from constellationdb.engine import batch as zset
from constellationdb.engine.graph import Graph, Input
from constellationdb.engine.operators.base import ENDED
from constellationdb.engine.operators.over import OverOperator
from constellationdb.planner import plan
from constellationdb.planner.continuous import ContinuousPlanner
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.statements import Select
from constellationdb.planner.syntax import parse

_ROW = pa.schema([("id", pa.int64()), ("k", pa.string()), ("v", pa.int32()), ("ts", pa.timestamp("us"))])
_SECOND = 1_000_000
_DELAY = 5 * _SECOND
_W = "(PARTITION BY k ORDER BY ts, id)"
_WINDOWS = "TUMBLE(s, ts, INTERVAL '4 seconds')"
_QUERIES = {
    "running": f"SELECT id, sum(v) OVER {_W} AS s, lag(v) OVER {_W} AS p, row_number() OVER {_W} AS n FROM s",
    "peers": "SELECT id, sum(v) OVER w AS s, max(v) OVER w AS m FROM s WINDOW w AS (PARTITION BY k ORDER BY ts)",
    "moving": "SELECT id, sum(v) OVER (PARTITION BY k ORDER BY ts, id ROWS BETWEEN 3 PRECEDING AND CURRENT ROW) AS s"
    " FROM s",
    "ahead": "SELECT id, sum(v) OVER (PARTITION BY k ORDER BY ts, id ROWS BETWEEN 1 PRECEDING AND 2 FOLLOWING) AS s,"
    f" lead(v) OVER {_W} AS l FROM s",
    "of all": "SELECT id, lag(v, 2) OVER (ORDER BY ts, id) AS p, count(*) OVER (ORDER BY ts, id) AS n FROM s",
    "doubles": "SELECT id, sum(v / 4.0::float8) OVER (PARTITION BY k ORDER BY ts, id"
    " ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS s FROM s",
    "range": "SELECT id, sum(v) OVER w AS s, count(*) OVER w AS n FROM s WINDOW w AS"
    " (PARTITION BY k ORDER BY ts RANGE BETWEEN INTERVAL '7 seconds' PRECEDING AND CURRENT ROW)",
    "range ahead": "SELECT id, avg(v) OVER w AS s, min(v) OVER w AS n FROM s WINDOW w AS"
    " (PARTITION BY k ORDER BY ts RANGE BETWEEN INTERVAL '3 seconds' PRECEDING AND INTERVAL '4 seconds' FOLLOWING)",
    "by time": "SELECT id, row_number() OVER w AS n, sum(v) OVER w AS s FROM s"
    " WINDOW w AS (PARTITION BY k, ts ORDER BY id)",
    "whole time": "SELECT id, rank() OVER (PARTITION BY k, ts ORDER BY v) AS n, sum(v) OVER (PARTITION BY k, ts) AS s"
    " FROM s",
    "first of a time": "SELECT id FROM (SELECT *, row_number() OVER (PARTITION BY k, ts ORDER BY v, id) AS n FROM s) q"
    " WHERE n = 1",
    "last of a window": "SELECT id, window_start AS w FROM (SELECT *, row_number() OVER"
    f" (PARTITION BY k, window_start ORDER BY v DESC, id) AS n FROM {_WINDOWS}) q WHERE n <= 2",
    "over a window": "SELECT id, window_start AS w, sum(v) OVER w AS s, lag(v) OVER w AS p"
    f" FROM {_WINDOWS} WINDOW w AS (PARTITION BY k, window_start ORDER BY ts, id)",
    "over windows": "SELECT k, window_start AS w, sum(n) OVER (PARTITION BY k ORDER BY window_start) AS s FROM (SELECT"
    f" k, window_start, count(*) AS n FROM {_WINDOWS} GROUP BY k, window_start, window_end) q",
}
_TUMBLED = (
    "(SELECT *, time_bucket(INTERVAL '4 seconds', ts) AS window_start, window_start + INTERVAL '4 seconds'"
    " AS window_end FROM s WHERE ts IS NOT NULL)"
)


def _root(query: str, *, watermarked: bool) -> plan.AnyNode:
    (statement,) = parse(query)
    assert isinstance(statement, Select)
    relation = PlannedRelation("s", "source", _ROW, append_only=True, times=(3,) if watermarked else ())
    return ContinuousPlanner({"s": relation}).plan(statement.query).root


def _epochs(chance: random.Random, count: int) -> Iterator[tuple[list[dict[str, Any]], int]]:
    """Rows and the watermark behind them: some late, some without a time or a key."""
    clock, number, watermark = 0, 0, np.iinfo(np.int64).min
    for _ in range(count):
        rows: list[dict[str, Any]] = []
        for _ in range(chance.randint(0, 9)):
            clock += chance.choice((0, 0, 1, 1, 2)) * _SECOND
            back = chance.choice((0, 0, 1, 2, 4, 30 if chance.random() < 0.1 else 5)) * _SECOND
            number += 1
            time = None if chance.random() < 0.02 else clock - back
            key = chance.choice(("a", "a", "b", "c", None))
            value = None if chance.random() < 0.1 else chance.randint(-9, 9)
            rows.append({"id": number, "k": key, "v": value, "ts": time})
        watermark = max([watermark, *(row["ts"] - _DELAY for row in rows if row["ts"] is not None)])
        yield rows, watermark


def _batch(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    values = [[row[field.name] for row in rows] for field in _ROW]
    kinds = [pa.int64() if pa.types.is_timestamp(field.type) else field.type for field in _ROW]
    columns = [pa.array(v, kind).cast(f.type) for v, kind, f in zip(values, kinds, _ROW, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=_ROW)


def _add(held: Counter[Any], delta: pa.RecordBatch | None) -> None:
    if delta is not None:
        weights = zset.weights(delta)
        whole = zset.data(delta).to_pylist()
        for row, weight in zip(whole, [1] * len(whole) if weights is None else weights.tolist(), strict=True):
            held[tuple(row.values())] += weight
    for row in [row for row, weight in held.items() if not weight]:
        del held[row]


def _kept(graph: Graph) -> int:
    return sum(batch.num_rows for name, batch in graph.snapshot().items() if not name.endswith(("failures", "values")))


def _late(name: str, rows: list[dict[str, Any]], watermark: int) -> list[dict[str, Any]]:
    """Rows of a window are late when it has closed."""
    size = 4 * _SECOND if "window" in name else 1
    return [row for row in rows if row["ts"] is not None and row["ts"] // size * size + size <= watermark]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", _QUERIES)
def test_what_is_freed_is_not_missed(name: str, seed: int) -> None:
    chance = random.Random(f"{name} {seed}")
    root = _root(_QUERIES[name], watermarked=True)
    graph, whole = Graph(root), Graph(_root(_QUERIES[name], watermarked=False))
    ours: Counter[Any] = Counter()
    theirs: Counter[Any] = Counter()
    before, used, late, most = np.iinfo(np.int64).min, [], 0, 0
    for epoch, (rows, watermark) in enumerate(_epochs(chance, 80), 1):
        missed = _late(name, rows, before)
        late += len(missed)
        punctual = [row for row in rows if row not in missed]
        used += punctual
        _add(ours, graph.run(epoch, {"s": Input(_batch(rows) if rows else None, watermark)}).delta)
        _add(theirs, whole.run(epoch, {"s": Input(_batch(punctual) if punctual else None)}).delta)
        assert ours == theirs, f"epoch {epoch}"
        before, most = watermark, max(most, _kept(graph))
        if chance.random() < 0.1:
            again = Graph(root)
            again.restore(graph.snapshot(), graph.watermarks(), epoch)
            graph = again
    assert late > 0
    assert most < _kept(whole) / 3, "rows are freed as the watermark goes on"
    graph.run(999, {"s": Input(None, before + 3600 * _SECOND)})
    assert _kept(graph) < _kept(whole) / 10  # rows without a time, and what later ones go on from
    answer = _duckdb(_QUERIES[name], used)
    assert ours == answer


@pytest.mark.parametrize("name", [name for name in _QUERIES if name != "ahead"])
def test_what_closes_is_final(name: str) -> None:
    """Rows are only added, none before the watermark has passed it, and in the end they are the batch answer."""
    chance = random.Random(name)
    root = _root(f"{_QUERIES[name]} EMIT ON WINDOW CLOSE", watermarked=True)
    assert root.append_only
    graph, used, before, shown = Graph(root), list[dict[str, Any]](), np.iinfo(np.int64).min, Counter[Any]()
    early = 0
    for epoch, (rows, watermark) in enumerate(_epochs(chance, 60), 1):
        missed = _late(name, rows, before)
        used += [row for row in rows if row not in missed]
        _add(shown, graph.run(epoch, {"s": Input(_batch(rows) if rows else None, watermark)}).delta)
        assert min(shown.values(), default=1) > 0
        early, before = sum(shown.values()), watermark
    assert early > 0
    _add(shown, graph.run(999, {"s": Input(None, ENDED)}).delta)
    assert shown == _duckdb(_QUERIES[name], used)


def _duckdb(query: str, rows: list[dict[str, Any]]) -> Counter[Any]:
    duck = duckdb.connect(config={"default_null_order": "nulls_last_on_asc_first_on_desc"})
    duck.register("arrow", pa.Table.from_batches([_batch(rows)]))
    duck.execute("CREATE TABLE s AS SELECT * FROM arrow")
    return Counter(duck.execute(query.replace(_WINDOWS, _TUMBLED)).fetchall())


def test_the_test_sees_what_is_freed_too_early(monkeypatch: pytest.MonkeyPatch) -> None:
    free = OverOperator._free
    monkeypatch.setattr(OverOperator, "_free", lambda self, watermark: free(self, watermark + 3 * _SECOND))

    def every_seed() -> None:
        for seed in range(5):
            test_what_is_freed_is_not_missed("moving", seed)

    with pytest.raises(AssertionError):
        every_seed()
