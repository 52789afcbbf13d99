"""``python -m bench curves``: what an epoch of the same few changes costs as the state grows ×1, ×10, ×100.

One view for every operator and every way to keep a measure, over two tables of ``id``, ``k`` and ``v``. Mostly a key
has about ten rows, however many rows there are; under "one group" all rows have the same key. Each epoch takes old
rows away and brings new ones. The answer in the end is compared with DuckDB's.

An operator whose epoch grows with its state is a defect, unless EXPLAIN says that it computes something again as a
whole: ``again`` is what the plan says, by a key or as a whole.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.changing import View
from bench.child import pin
from bench.joins import CASES as JOINS
from bench.sinks import Answer
from bench.table import Table
from constellationdb.planner import plan

FACTORS = (1, 10, 100)


@dataclass(frozen=True)
class Case:
    """``theirs``: the query as DuckDB says it, where that differs; ``rows_a_key``: None when one key has all."""

    sql: str
    theirs: str | None = None
    rows_a_key: int | None = 10


def _measure(call: str, theirs: str | None = None) -> Case:
    sql = "SELECT k, CAST({} AS bigint) AS m FROM (SELECT k, id * 7919 % 1000003 AS x FROM a) AS q GROUP BY k"
    return Case(sql.format(call), None if theirs is None else sql.format(theirs), rows_a_key=None)


_AT = "(SELECT k, v, timestamp '2024-01-01' + id * interval '1 second' AS ts FROM a)"
_WINDOWED = (
    "SELECT k, CAST(extract(epoch FROM window_start) AS bigint) AS s, count(*) AS n, sum(v) AS v"
    " FROM {} GROUP BY k, window_start"
)
_TUMBLED = _WINDOWED.format(
    f"(SELECT k, v, time_bucket(INTERVAL '60 seconds', ts, timestamp '1970-01-01') AS window_start FROM {_AT})"
)
_RANKED = "SELECT id, k FROM (SELECT id, k, {} OVER (PARTITION BY k ORDER BY v, id) AS r FROM a) AS q WHERE r <= 2"

CASES = {
    "filter and project": Case("SELECT id, v * 2 AS w FROM a WHERE v < 50"),
    "union all": Case("SELECT id, v FROM a UNION ALL SELECT id, v FROM b"),
    "distinct": Case("SELECT DISTINCT k FROM a"),
    "intersect": Case("SELECT k, v FROM a INTERSECT SELECT k, v FROM b"),
    "except all": Case("SELECT k FROM a EXCEPT ALL SELECT k FROM b"),
    **{f"{name} join": Case(sql, rows_a_key=1 if name == "anti" else 10) for name, sql in JOINS.items()},
    "self join": Case("SELECT x.id, y.id AS other FROM a AS x JOIN a AS y ON x.k = y.k AND x.v < y.v"),
    "aggregate": Case("SELECT k, count(*) AS n, sum(v) AS s, min(v) AS low, max(v) AS high FROM a GROUP BY k"),
    "aggregate, all rows": Case("SELECT count(*) AS n, CAST(sum(v) AS bigint) AS s, max(v) AS m FROM a"),
    "aggregate of a join": Case("SELECT a.k, count(*) AS n, sum(b.v) AS v FROM a JOIN b ON a.k = b.k GROUP BY a.k"),
    "rollup": Case("SELECT k, v % 2 AS p, count(*) AS n FROM a GROUP BY ROLLUP (k, v % 2)",
                   "SELECT k, v % 2 AS p, count(*) AS n FROM a GROUP BY ROLLUP (k, (v % 2))"),
    "top 2 of each key": Case(_RANKED.format("row_number()")),
    "rank of each key": Case(_RANKED.format("rank()")),
    "running sum": Case("SELECT id, CAST(sum(v) OVER (PARTITION BY k ORDER BY id) AS bigint) AS s FROM a"),
    "distinct on": Case("SELECT DISTINCT ON (k) k, id FROM a ORDER BY k, v DESC, id"),
    "first 10": Case("SELECT id, v FROM a ORDER BY v DESC, id LIMIT 10"),
    "scalar subquery": Case("SELECT id FROM a WHERE v >= (SELECT max(v) FROM b)"),
    "correlated subquery": Case("SELECT id, (SELECT max(v) FROM b WHERE b.k = a.k) AS m FROM a"),
    "not in": Case("SELECT id FROM a WHERE k NOT IN (SELECT k FROM b)", rows_a_key=1),
    "unnest": Case("SELECT id, unnest(ARRAY[k, v]) AS e FROM a"),
    "tumble": Case(_WINDOWED.format(f"TUMBLE({_AT}, ts, INTERVAL '60' SECOND)"), _TUMBLED),
    **{
        f"one group: {name}": case
        for name, case in {
            "max": _measure("max(x)"),
            "count distinct": _measure("count(DISTINCT x)"),
            "sum distinct": _measure("sum(DISTINCT x)"),
            "variance": _measure("var_pop(x % 1000)"),
            "bit_or": _measure("bit_or(x)"),
            "percentile_disc": _measure("percentile_disc(0.5) WITHIN GROUP (ORDER BY x)"),
        }.items()
    },
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    case: str
    rows: int  # of each table
    changes: int  # in an epoch
    ms_per_epoch: float  # the median, in CPU time
    growth: float  # of ms_per_epoch, since the smallest state
    again: str  # what EXPLAIN says is computed again: "", "by key" or "whole"
    answer_ok: bool


def measure(names: Sequence[str], rows: int, changes: int, epochs: int, core: int) -> Iterator[Line]:
    pin(core)
    for name in names:
        least = None
        for factor in FACTORS:
            line = _line(name, rows * factor, changes, epochs, least)
            least = least or line.ms_per_epoch
            yield line


def _line(name: str, rows: int, changes: int, epochs: int, least: float | None) -> Line:
    case = CASES[name]
    view = View(case.sql, rows, 1 if case.rows_a_key is None else rows // case.rows_a_key)
    view.step(view.updates(changes))  # the first takes the memory that the others use again
    spent = statistics.median(view.step(view.updates(changes)) for _ in range(epochs)) * 1000
    types = ["BIGINT"] * len(view.root.schema)
    ours, theirs = Answer(types), Answer(types)
    view.duckdb_answer(case.theirs or case.sql, theirs)
    view.answer(ours)
    ok = ours.checksum() == theirs.checksum() and ours.checksum().rows > 0
    return Line(name, rows, changes, round(spent, 3), round(spent / (least or spent), 2), _again(view.root), ok)


def _again(root: plan.AnyNode) -> str:
    keys = [key for node in plan.walk(root) if isinstance(node, plan.Recompute) for key in node.keys]
    if not keys:
        return ""
    return "by key" if all(keys) else "whole"


def table_of(lines: Sequence[Line]) -> str:
    table = Table(("case", "rows a table", "changes", "ms/epoch", "growth", "computed again", "answer"))
    for line in lines:
        spent, growth = f"{line.ms_per_epoch:.2f}", f"×{line.growth:.2f}"
        ok = "ok" if line.answer_ok else "WRONG"
        table.add(line.case, f"{line.rows:,}", f"{line.changes:,}", spent, growth, line.again, ok)
    return table.text()
