"""What a measurement of many small things says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.table import Table


@dataclass(frozen=True)
class Rate:
    """``per_s`` is by the clock, ``cpu_us`` of the server for each. ``answer_ok``: every answer was right."""

    case: str
    count: int
    per_s: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    megabytes: float  # by which the server grew
    times_the_goal: float
    answer_ok: bool


def table_of(rates: Sequence[Rate]) -> str:
    table = Table(("case", "count", "a second", "CPU µs", "p50 ms", "p99 ms", "max ms", "MB", "× goal", "answer"))
    for rate in rates:
        figures = (f"{rate.cpu_us:,.1f}", f"{rate.p50_ms:.2f}", f"{rate.p99_ms:.2f}", f"{rate.max_ms:.2f}")
        grown, times = f"{rate.megabytes:.0f}", f"{rate.times_the_goal:.2f}"
        right = "right" if rate.answer_ok else "WRONG"
        table.add(rate.case, str(rate.count), f"{rate.per_s:,.0f}", *figures, grown, times, right)
    return table.text()
