"""What a change of one row costs in a group of many: state ×1, ×10, ×100.

One table, one group, a view of one measure. After the rows are there, rows are
added and taken away one an epoch, among them the ends; each answer is compared
with what plain Python says of the rows that are left.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, cast

import pyarrow as pa

from bench.table import Table
from constellationdb.engine.graph import Graph, Input
from constellationdb.planner.continuous import ContinuousPlanner
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.statements import Select
from constellationdb.planner.syntax import parse

SIZES = (10_000, 100_000, 1_000_000)
_CHANGES = 100
_CHUNK = 65_536
_ROW = pa.schema([("k", pa.int64()), ("x", pa.int64())])
_WEIGHTED = _ROW.append(pa.field("__weight", pa.int64()))

Values = Sequence[int]


def _variance(values: Values) -> float:
    n, total = len(values), sum(values)
    return float((n * sum(v * v for v in values) - total * total) / (n * n))


MEASURES: dict[str, Callable[[Values], Any]] = {
    "max(x)": max,
    "min(x)": min,
    "count(DISTINCT x)": lambda values: len(set(values)),
    "var_pop(x)": _variance,
    "bit_or(x)": lambda values: _folded(values),
    "sum(DISTINCT x)": lambda values: sum(set(values)),
    "percentile_disc(0.5) WITHIN GROUP (ORDER BY x)": lambda values: sorted(values)[(len(values) + 1) // 2 - 1],
}
_GENERIC = ("percentile_disc",)  # computed again as a whole: EXPLAIN says so


def _folded(values: Values) -> int:
    bits = 0
    for value in values:
        bits |= value
    return bits


@dataclass(frozen=True)
class Line:
    measure: str
    rows: int
    load_seconds: float
    change_us: float  # the median epoch of one row
    answer_ok: bool


def measure(names: Sequence[str], sizes: Sequence[int]) -> Iterator[Line]:
    for name in names:
        for rows in sizes:
            yield _line(name, rows)


def _line(name: str, rows: int) -> Line:
    random, held, graph = Random(7), Counter[int](), _graph(name)
    graph.start(0)
    begin = time.perf_counter()
    epoch, answer = 0, cast(Any, None)
    for first in range(0, rows, _CHUNK):
        values = [random.randrange(rows) for _ in range(min(_CHUNK, rows - first))]
        held.update(values)
        epoch += 1
        answer = _answer(graph.run(epoch, {"t": Input(_delta(values, [1] * len(values)))}).delta, answer)
    loaded = time.perf_counter() - begin
    spent = []
    for place in range(_CHANGES if not name.startswith(_GENERIC) else 10):
        value, weight = _change(random, held, place)
        delta = _delta([value], [weight])
        epoch += 1
        begin = time.perf_counter()
        out = graph.run(epoch, {"t": Input(delta)}).delta
        spent.append(time.perf_counter() - begin)
        held[value] += weight
        answer = _answer(out, answer)
    expected = MEASURES[name](list(held.elements()))
    ok = abs(float(answer) - float(expected)) <= 1e-12 * abs(float(expected))
    return Line(name, rows, loaded, statistics.median(spent) * 1e6, ok)


def _change(random: Random, held: Counter[int], place: int) -> tuple[int, int]:
    """In turn: a value comes, the greatest goes, the least goes."""
    if place % 3 == 0:
        return random.randrange(len(held) * 2), 1
    present = [value for value, count in held.items() if count]
    return (max(present) if place % 3 == 1 else min(present)), -1


def _graph(name: str) -> Graph:
    statement = parse(f"SELECT k, {name} AS v FROM t GROUP BY k")[0]
    assert isinstance(statement, Select)
    return Graph(ContinuousPlanner({"t": PlannedRelation("t", "table", _ROW)}).plan(statement.query).root)


def _delta(values: Values, weights: Sequence[int]) -> pa.RecordBatch:
    columns = [pa.array([1] * len(values)), pa.array(values), pa.array(weights)]
    return pa.RecordBatch.from_arrays(columns, schema=_WEIGHTED)


def _answer(delta: pa.RecordBatch | None, known: Any) -> Any:
    """What the view shows after a change; None says that it shows what it did."""
    if delta is None:
        return known
    (shown,) = (row["c1"] for row in delta.to_pylist() if row["__weight"] > 0)
    return shown


def table_of(lines: Sequence[Line]) -> str:
    table = Table(("measure", "rows in the group", "load", "one row", "answer"))
    for line in lines:
        load, change = f"{line.rows / line.load_seconds / 1e6:.2f} M/s", f"{line.change_us:,.0f} µs"
        table.add(line.measure, f"{line.rows:,}", load, change, "right" if line.answer_ok else "WRONG")
    return table.text()
