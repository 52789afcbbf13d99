"""What one measurement says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.table import Table


@dataclass(frozen=True)
class Line:
    """``times_the_goal``: the rate by the one that was set out for; ``answer_ok``: every row came, once and whole."""

    case: str
    rows: int
    megabytes: float
    cpu_s: float
    rows_per_cpu_s: float
    times_the_goal: float
    answer_ok: bool


def table_of(lines: Sequence[Line]) -> str:
    table = Table(("case", "rows", "MB", "CPU s", "rows/CPU s", "× goal", "answer"))
    for line in lines:
        rate, times = f"{line.rows_per_cpu_s:,.0f}", f"{line.times_the_goal:.2f}"
        figures = (f"{line.megabytes:.1f}", f"{line.cpu_s:.3f}", rate, times)
        table.add(line.case, str(line.rows), *figures, "right" if line.answer_ok else "WRONG")
    return table.text()
