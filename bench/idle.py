"""``python -m bench idle``: what views cost an epoch that brings them nothing.

The same rows go, one an epoch, through an engine with no view over another table, and with many. The difference, by
epoch and view, is what an idle one costs; CPU time of the process, the least of several runs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bench.child import pin
from bench.table import Table
from constellationdb.engine.engine import Engine
from constellationdb.engine.session import Session

_RUNS = 5


@dataclass(frozen=True)
class Line:
    views: int
    epochs: int
    us_per_epoch: float  # of CPU time
    us_per_idle_view: float
    answer_ok: bool


def measure(views: int, epochs: int, core: int) -> Iterator[Line]:
    pin(core)
    alone, is_right = _run(0, epochs)
    yield Line(0, epochs, round(alone, 2), 0.0, is_right)
    among, is_right = _run(views, epochs)
    yield Line(views, epochs, round(among, 2), round((among - alone) / views, 3), is_right)


def _run(views: int, epochs: int) -> tuple[float, bool]:
    """CPU microseconds an epoch, and whether all rows came."""
    with Engine() as engine:
        session = engine.session()
        _execute(session, "CREATE TABLE t (a int)")
        _execute(session, "CREATE TABLE other (a int)")
        for number in range(views):
            _execute(session, f"CREATE MATERIALIZED VIEW idle{number} AS SELECT count(*) AS n FROM other")
        _execute(session, "FLUSH")
        best = float("inf")
        for _ in range(_RUNS):
            before, begin = engine.epoch, time.process_time()
            for number in range(epochs):
                _execute(session, f"INSERT INTO t VALUES ({number})")
            best = min(best, (time.process_time() - begin) / (engine.epoch - before))
        counted = _execute(session, "SELECT count(*) AS n FROM t")
        return best * 1e6, counted == [{"n": _RUNS * epochs}]


def _execute(session: Session, text: str) -> list[dict[str, Any]]:
    return [row for result in session.execute(text) for batch in result.batches for row in batch.to_pylist()]


def table_of(lines: Sequence[Line]) -> str:
    table = Table(("views", "epochs", "µs an epoch", "µs an idle view", "answer"))
    for line in lines:
        answer = "ok" if line.answer_ok else "WRONG"
        per_view = f"{line.us_per_idle_view:.3f}"
        table.add(f"{line.views}", f"{line.epochs:,}", f"{line.us_per_epoch:,.1f}", per_view, answer)
    return table.text()
