"""``python -m bench curves``: what an epoch of the same few changes costs as the state grows ×1, ×10, ×100.

The views (``curve_cases``) are over two tables of ``id``, ``k`` and ``v``. Mostly a key has about ten rows, however
many rows there are; under "one group" all rows have the same key. Each epoch takes old rows away and brings new ones.
The answer in the end is compared with DuckDB's.

An operator whose epoch grows with its state is a defect, unless EXPLAIN says that it computes something again as a
whole: ``again`` is what the plan says, by a key or as a whole.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.changing import View
from bench.child import pin
from bench.curve_cases import CASES
from bench.sinks import Answer
from bench.table import Table
from constellationdb.planner import plan

FACTORS = (1, 10, 100)


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
    sql, theirs_sql = (text.replace("$half", str(rows // 2)) for text in (case.sql, case.theirs or case.sql))
    view = View(sql, rows, 1 if case.rows_a_key is None else rows // case.rows_a_key)
    view.step(view.updates(changes))  # the first takes the memory that the others use again
    spent = statistics.median(view.step(view.updates(changes)) for _ in range(epochs)) * 1000
    types = ["BIGINT"] * len(view.root.schema)
    ours, theirs = Answer(types), Answer(types)
    view.duckdb_answer(theirs_sql, theirs)
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
