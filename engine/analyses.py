"""EXPLAIN ANALYZE: the plan with what was measured.

a materialized view    what its job has done since it was started here, and keeps now
a continuous query     the same of a job of its own, which ends when it has read all that is there
a snapshot query       what every operator of DataFusion put out, and its own time
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from constellationdb.engine import explains
from constellationdb.engine.graph import Measured
from constellationdb.engine.job import Job
from constellationdb.engine.operators.base import ENDED, NO_WATERMARK
from constellationdb.engine.reads import execution, relations_of
from constellationdb.engine.side import errors_name
from constellationdb.engine.stopped import state_of
from constellationdb.engine.streams import Stream
from constellationdb.engine.time_travel import epoch_of_query
from constellationdb.engine.visible import visible
from constellationdb.errors import WrongObjectType
from constellationdb.planner import plan
from constellationdb.planner import statements as st
from constellationdb.planner.explain import Actual, Sink, explain, without_checks

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

_EVERYTHING = 1 << 62  # a limit that is not reached: the query ends when it has read what is there


def view(session: Session, statement: st.NamedView, *, analyze: bool) -> list[str]:
    """EXPLAIN [ANALYZE] MATERIALIZED VIEW: the plan as it runs."""
    relation = session.names.relation(statement.name, statement.name_position + 1)
    if relation.kind != "materialized view":
        raise WrongObjectType(f'"{relation.shown}" is not a materialized view', position=statement.name_position + 1)
    sink = Sink(statement.name, errors_name(statement.name))
    job = session.engine.jobs.get(relation.name) if analyze else None
    actual = None if job is None else _actual(session, job)
    return explain(plan.decode(relation.plan), session.relations, sink, actual)


def continuous(session: Session, lowered: plan.Plan, limit: int | None = None) -> list[str]:
    """Runs the query until its limit, its sources' end, or until all that was there is read; its rows go nowhere."""
    job, subscription = session.engine.transient(lowered, session.cancelled, enough=limit)
    stream = Stream(session.engine, subscription, subscription.schema, job=job, limit=limit or _EVERYTHING)
    try:
        while stream.next() is not None:
            pass
        actual = _actual(session, job)
    finally:
        stream.close()
    return explain(lowered, session.relations, Sink(limit=limit), actual)


def _actual(session: Session, job: Job) -> Actual:
    engine = session.engine
    with engine.lock:
        measured, reached, now = list(job.graph.measured()), job.reached(), engine.epoch
        state, error = state_of(job)
    counted = job.counters
    rows = f"{counted.rows_in} rows in and {counted.rows_out} out since the first answer"
    whole = [("actual", f"{state}; {counted.epochs} epochs run, at epoch {reached} of {now}; {rows}")]
    if error is not None:
        whole.append(("failure", error))
    return Actual(whole, {m.node.id: _operator(m, engine.clock.now_us()) for m in measured})


def _operator(measured: Measured, now_us: int) -> list[tuple[str, str]]:
    parts = [f"{measured.rows_in} rows in"] if measured.node.children else []
    parts += [f"{measured.rows_out} rows out", f"time {measured.busy_ns / 1e6:.3f} ms"]
    if measured.state.bytes:
        parts.append(f"keeps {measured.state.rows} rows in {measured.state.bytes} bytes")
    parts += [f"{count} {what}" for count, what in ((measured.late, "late"), (measured.errors, "failed")) if count]
    if measured.watermark not in (NO_WATERMARK, ENDED):
        parts.append(_watermark(measured.watermark, now_us))
    return [("actual", "; ".join(parts))]


def _watermark(micros: int, now_us: int) -> str:
    try:
        shown = datetime(1970, 1, 1) + timedelta(microseconds=micros)
    except OverflowError:
        return f"watermark {micros} µs"
    return f"watermark {shown}, {timedelta(milliseconds=(now_us - micros) // 1000)} behind the clock"


def snapshot(session: Session, query: st.Query) -> list[str]:
    """Runs the query; its rows go nowhere."""
    began = perf_counter_ns()
    planned = session.engine.snapshot_plans.plan(session, query)
    made = perf_counter_ns()
    tables = visible(session, relations_of(planned), epoch_of_query(session, query, planned), query.at_least_epoch)
    with session.cancelled.interruptible():
        physical = execution(planned, tables)
    done = perf_counter_ns()
    head = [line for line in explains.snapshot(session, query) if not line.startswith("    ")]
    counts = [f"  read   {name}: {table.num_rows} rows" for name, table in sorted(tables.items())]
    return [
        *head[:-1],
        *counts,
        head[-1],
        *_timed(physical, "    "),
        f"Planning Time: {(made - began) / 1e6:.3f} ms",
        f"Execution Time: {(done - made) / 1e6:.3f} ms",
    ]


def _timed(physical: Any, indent: str) -> Iterator[str]:
    metrics = physical.metrics()
    line = without_checks(physical.display().rstrip())
    if metrics is not None and metrics.output_rows is not None:
        line += f" (actual time={(metrics.elapsed_compute or 0) / 1e6:.3f} rows={metrics.output_rows})"
    yield f"{indent}{line}"
    for child in physical.children():
        yield from _timed(child, indent + "  ")
