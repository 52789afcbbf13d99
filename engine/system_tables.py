"""The schema ``constellation``: what the engine is doing, as tables. Read live, not at an epoch."""

from __future__ import annotations

import os
from collections.abc import Callable
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from constellationdb.catalog.catalog import Catalog
from constellationdb.catalog.model import Relation
from constellationdb.engine.exchange import owned
from constellationdb.engine.job import Job
from constellationdb.engine.operators.base import ENDED, NO_WATERMARK
from constellationdb.engine.sources import SourceState
from constellationdb.engine.stopped import state_of
from constellationdb.planner import plan
from constellationdb.planner.explain import kinds, measures
from constellationdb.planner.references import reference

if TYPE_CHECKING:
    from constellationdb.engine.engine import Engine

_TEXT, _INT, _TIME, _BOOL = pa.string(), pa.int64(), pa.timestamp("us"), pa.bool_()

SYSTEM_TABLES: dict[str, pa.Schema] = {
    "constellation.relations": pa.schema(
        [("oid", _INT), ("name", _TEXT), ("kind", _TEXT), ("frontier", _INT), ("watermark", _TIME), ("rows", _INT),
         ("append_only", _BOOL), ("owner", _TEXT), ("definition", _TEXT)]
    ),
    "constellation.jobs": pa.schema(
        [("name", _TEXT), ("state", _TEXT), ("frontier", _INT), ("watermark", _TIME), ("epochs", _INT),
         ("rows_in", _INT), ("rows_out", _INT), ("rows_used", _INT), ("rows_late", _INT), ("error", _TEXT),
         ("epochs_behind", _INT), ("rows_error", _INT), ("busy_ms", pa.float64())]
    ),
    "constellation.operators": pa.schema(
        [("name", _TEXT), ("operator", _INT), ("inputs", _TEXT), ("kind", _TEXT), ("path", _TEXT), ("rows_in", _INT),
         ("rows_out", _INT), ("rows_late", _INT), ("rows_error", _INT), ("state_rows", _INT), ("state_bytes", _INT),
         ("busy_ms", pa.float64()), ("watermark", _TIME)]
    ),
    "constellation.windows": pa.schema(
        [("name", _TEXT), ("operator", _INT), ("kind", _TEXT), ("relations", _TEXT), ("watermark", _TIME),
         ("rows_assigned", _INT), ("rows_used", _INT), ("rows_late", _INT)]
    ),
    "constellation.sources": pa.schema(
        [("name", _TEXT), ("connector", _TEXT), ("state", _TEXT), ("position", _TEXT), ("watermark", _TIME),
         ("rows_accepted", _INT), ("rows_error", _INT), ("error", _TEXT)]
    ),
    "constellation.lookups": pa.schema(
        [("name", _TEXT), ("connector", _TEXT), ("strategy", _TEXT), ("rows_waiting", _INT), ("keys_waiting", _INT),
         ("fetches", _INT), ("keys_asked", _INT), ("rows_received", _INT), ("rows_kept", _INT), ("error", _TEXT)]
    ),
    "constellation.backfills": pa.schema(
        [("view", _TEXT), ("rows_done", _INT), ("rows_total", _INT), ("started", _TIME), ("state", _TEXT),
         ("error", _TEXT)]
    ),
    "constellation.sinks": pa.schema(
        [("name", _TEXT), ("relation", _TEXT), ("connector", _TEXT), ("type", _TEXT), ("key", _TEXT), ("state", _TEXT),
         ("position", _INT), ("marker", _INT), ("epochs_behind", _INT), ("bytes_behind", _INT), ("rows", _INT),
         ("bytes", _INT), ("error", _TEXT)]
    ),
    "constellation.state": pa.schema(
        [("view", _TEXT), ("operator", _INT), ("kind", _TEXT), ("vnodes", _TEXT), ("rows", _INT), ("bytes", _INT)]
    ),
    "constellation.aggregates": pa.schema(
        [("view", _TEXT), ("operator", _INT), ("aggregate", _TEXT), ("value", _TEXT), ("partitions_reporting", _INT),
         ("partitions_total", _INT), ("is_complete", _BOOL), ("epoch", _INT), ("staleness_ms", _INT),
         ("watermark", _TIME)]
    ),
    "constellation.workers": pa.schema(
        [("name", _TEXT), ("kind", _TEXT), ("jobs", _INT), ("jobs_waiting", _INT), ("steps", _INT),
         ("busy_ms", pa.float64()), ("busy_share", pa.float64()), ("pid", _INT)]
    ),
    "constellation.channels": pa.schema(
        [("sender", _TEXT), ("receiver", _TEXT), ("messages", _INT), ("bytes", _INT), ("capacity_bytes", _INT),
         ("messages_sent", _INT), ("bytes_sent", _INT), ("blocked_ms", pa.float64())]
    ),
    "constellation.subscriptions": pa.schema(
        [("name", _TEXT), ("relation", _TEXT), ("position", _INT), ("rows", _INT), ("lag_epochs", _INT),
         ("lag_rows", _INT), ("retained_bytes", _INT), ("retention_ms", _INT), ("state", _TEXT), ("pid", _INT)]
    ),
    "constellation.epochs": pa.schema([("epoch", _INT), ("durable_epoch", _INT), ("frontier", _INT)]),
    "constellation.checkpoints": pa.schema(
        [("name", _TEXT), ("epoch", _INT), ("taken", _TIME), ("parts", _INT), ("bytes", _INT),
         ("seconds", pa.float64()), ("bytes_written", _INT), ("damage", _TEXT)]
    ),
    "constellation.errors": pa.schema(
        [("relation", _TEXT), ("node", _INT), ("sqlstate", _TEXT), ("message", _TEXT), ("payload", _TEXT)]
    ),
}  # fmt: skip

Row = dict[str, Any]

_NAMES = ("name", "owner", "relation", "view")  # the columns that name relations


def system_rows(engine: Engine, name: str) -> pa.Table:
    """The rows of a system table now."""
    with engine.lock:
        rows, elsewhere = _READERS[name](engine), _elsewhere(engine.catalog)
    if elsewhere and name != "constellation.checkpoints":  # whose names are no relations
        rows = [row | {c: elsewhere[row[c]] for c in _NAMES if row.get(c) in elsewhere} for row in rows]
    return pa.Table.from_pylist(rows, schema=SYSTEM_TABLES[name])


def _elsewhere(catalog: Catalog) -> dict[str, str]:
    """What SQL calls the relations that are in other schemas than public; those of sessions aside."""
    schemas = {oid: None if name == "public" else name for name, oid in catalog.schemas.items()}
    found = (relation for relation in catalog.relations.values() if relation.namespace in schemas)
    said = {relation.name: reference(schemas[relation.namespace], relation.shown) for relation in found}
    return {name: shown for name, shown in said.items() if name != shown}


def _time(watermark: int) -> int | None:
    """A watermark as a timestamp; NULL before the first one and after the end."""
    return None if watermark in (NO_WATERMARK, ENDED) else watermark


def _relations(engine: Engine) -> list[Row]:
    rows = []
    for relation in engine.catalog.relations.values():
        if relation.is_upcoming:
            continue
        state = engine.states.get(relation.name)
        contents = None if state is None else state.contents
        rows.append(
            {
                "oid": relation.oid,
                "name": relation.name,
                "kind": relation.kind,
                "frontier": None if state is None else state.frontier,
                "watermark": None if state is None else _time(state.watermark),
                "rows": None if contents is None else contents.live,
                "append_only": relation.append_only,
                "owner": relation.owner,
                "definition": relation.sql,
            }
        )
    return rows


def _jobs(engine: Engine) -> list[Row]:
    return [
        {
            "name": job.name,
            "state": state,
            "frontier": job.reached(),
            "watermark": _time(job.outputs.view.watermark),
            "epochs": job.counters.epochs,
            "rows_in": job.counters.rows_in,
            "rows_out": job.counters.rows_out,
            "rows_used": job.counters.used,
            "rows_late": job.counters.late,
            "error": error,
            "epochs_behind": engine.epoch - job.reached(),
            "rows_error": sum(meter.errors for meter in job.graph.meters.values()),
            "busy_ms": sum(meter.busy_ns for meter in job.graph.meters.values()) / 1e6,
        }
        for job in engine.jobs.values()
        for state, error in (state_of(job),)
    ]


def _operators(engine: Engine) -> list[Row]:
    rows = []
    for job in engine.jobs.values():
        job.kinds = job.kinds or kinds(job.plan.root, engine.planned.of(engine.catalog))
        rows += [
            {
                "name": job.name,
                "operator": measured.node.id,
                "inputs": ", ".join(str(child.id) for child in measured.node.children),
                "kind": job.kinds[measured.node.id].title,
                "path": job.kinds[measured.node.id].path,
                "rows_in": measured.rows_in,
                "rows_out": measured.rows_out,
                "rows_late": measured.late,
                "rows_error": measured.errors,
                "state_rows": measured.state.rows,
                "state_bytes": measured.state.bytes,
                "busy_ms": measured.busy_ns / 1e6,
                "watermark": _time(measured.watermark),
            }
            for measured in job.graph.measured()
        ]
    return rows


def _state(engine: Engine) -> list[Row]:
    """The rows and bytes in memory of each operator that keeps some, by the vnodes of its keys."""
    rows = []
    for job in engine.jobs.values():
        job.kinds = job.kinds or kinds(job.plan.root, engine.planned.of(engine.catalog))
        rows += [
            {
                "view": job.name,
                "operator": node.id,
                "kind": job.kinds[node.id].title,
                "vnodes": "{}-{}".format(*owned(worker, job.graph.workers)),
                "rows": kept.rows,
                "bytes": kept.bytes,
            }
            for node, worker, kept in job.graph.kept()
        ]
    return rows


def _aggregates(engine: Engine) -> list[Row]:
    """One for each measure whose parts come from every worker; the value of those without keys."""
    planned = engine.planned.of(engine.catalog)
    return [
        {
            "view": job.name,
            "operator": merged.node.id,
            "aggregate": text,
            "value": merged.value(place) if not merged.node.keys else None,
            "partitions_reporting": merged.reporting,
            "partitions_total": len(merged.parts),
            "is_complete": merged.is_complete,
            "epoch": merged.epoch,
            "staleness_ms": None if merged.staleness_us is None else merged.staleness_us // 1000,
            "watermark": _time(merged.watermark),
        }
        for job in engine.jobs.values()
        for merged in job.graph.merged()
        for place, text in enumerate(measures(merged.node, planned))
    ]


def _workers(engine: Engine) -> list[Row]:
    """Threads and processes that run jobs: how many jobs, how many of them wait, how busy they were so far."""
    worker = engine.worker
    age_ns = perf_counter_ns() - worker.started_ns
    starting = sum(job.starting for job in engine.jobs.values())
    remote = sum(job.graph.home.remote for job in engine.jobs.values())
    threads: list[Row] = [
        {
            "name": line.name,
            "kind": "thread",
            "jobs": jobs,
            "jobs_waiting": len(line.jobs),
            "steps": line.steps,
            "busy_ms": line.busy_ns / 1e6,
            "busy_share": min(line.busy_ns / max(age_ns, 1), 1.0),
            "pid": os.getpid(),
        }
        for line, jobs in zip(worker.lines, (len(engine.jobs) - starting, starting), strict=True)
    ]
    return threads + [
        {
            "name": f"worker {process.worker}",
            "kind": "process",
            "jobs": remote,
            "jobs_waiting": len(process.pending),
            "steps": process.answered,
            "busy_ms": process.busy_ns / 1e6,
            "busy_share": min(process.busy_ns / max(perf_counter_ns() - process.started_ns, 1), 1.0),
            "pid": process.popen.pid,
        }
        for process in ([] if engine.pool is None else engine.pool.processes)
    ]


def _channels(engine: Engine) -> list[Row]:
    """The rings between the server and its worker processes, and among these."""
    return [
        {
            "sender": sender,
            "receiver": receiver,
            "messages": metrics.messages,
            "bytes": metrics.bytes,
            "capacity_bytes": metrics.capacity,
            "messages_sent": metrics.messages_sent,
            "bytes_sent": metrics.bytes_sent,
            "blocked_ms": metrics.blocked_ns / 1e6,
        }
        for sender, receiver, metrics in ([] if engine.pool is None else engine.pool.channels())
    ]


def _backfills(engine: Engine) -> list[Row]:
    """The first answers that this process has computed, or does; a next version's is told of under its view's name."""
    rows = []
    for job in engine.jobs.values():
        relation = engine.catalog.relations.get(job.name)
        if relation is None or job.progress is None:
            continue
        rows.append(
            {
                "view": relation.owner or relation.name,
                "rows_done": job.progress.done,
                "rows_total": job.progress.total,
                "started": job.progress.started_us or None,
                "state": _backfill_state(job, relation),
                "error": None if job.failure is None else str(job.failure),
            }
        )
    return rows


def _backfill_state(job: Job, relation: Relation) -> str:
    if job.failure is not None:
        return "failed"
    if job.starting:
        return "waiting" if job.progress is None or (job.progress.total is None and not job.runnable()) else "running"
    return "replacing" if relation.is_upcoming else "done"


def _windows(engine: Engine) -> list[Row]:
    """One for every window call of every job; assigned = used + late."""
    return [
        {
            "name": job.name,
            "operator": node.id,
            "kind": _kind(node),
            "relations": ", ".join(plan.relations_of(node)),
            "watermark": _time(watermark),
            "rows_assigned": used + late,
            "rows_used": used,
            "rows_late": late,
        }
        for job in engine.jobs.values()
        for node, watermark, used, late in job.graph.windows()
    ]


def _kind(node: plan.Windowing) -> str:
    if isinstance(node, plan.SessionAssign | plan.SessionAggregate):
        return "session"
    if isinstance(node, plan.PaneAggregate):
        return "hop"
    return "cumulate" if node.cumulative else "tumble" if node.slide_us == node.size_us else "hop"


def _sources(engine: Engine) -> list[Row]:
    return [
        {
            "name": state.name,
            "connector": state.relation.options.get("connector"),
            "state": _source_state(state),
            "position": None if state.pushed else str(state.positions),
            "watermark": _time(state.tracker.value),
            "rows_accepted": state.rows,
            "rows_error": state.errors,
            "error": state.trouble,
        }
        for state in engine.states.values()
        if isinstance(state, SourceState)
    ]


def _source_state(state: SourceState) -> str:
    if state.stopped:
        return "failed"
    if state.pushed:
        return "push"
    if state.exhausted:
        return "ended"
    return "reading" if state.consumers or state.receivers else "idle"


def _lookups(engine: Engine) -> list[Row]:
    """Waiting rows are those of every view that joins the table."""
    waiting: dict[str, int] = {}
    for job in engine.jobs.values():
        for node, operator in job.graph.lookups():
            waiting[node.table] = waiting.get(node.table, 0) + operator.waiting_rows
    return [status | {"rows_waiting": waiting.get(status["name"], 0)} for status in engine.lookups.status()]


def _sinks(engine: Engine) -> list[Row]:
    """``rows`` and ``bytes`` are those that were delivered, deletes of an upsert among them."""
    return [
        {
            "name": sink.relation.name,
            "relation": sink.follows.name,
            "connector": sink.relation.options.get("connector", "table"),
            "type": sink.relation.options["type"],
            "key": ", ".join(sink.relation.primary_key) or None,
            "state": sink.standing,
            "position": sink.position,
            "marker": sink.marker,
            "epochs_behind": sink.behind,
            "bytes_behind": sink.backlog_bytes,
            "rows": sink.rows,
            "bytes": sink.bytes,
            "error": sink.error,
        }
        for sink in engine.sinks.values()
    ]


def _subscriptions(engine: Engine) -> list[Row]:
    """``rows``: how many of those after ``position`` are acknowledged, too."""
    return [
        {
            "name": subscription.relation.name,
            "relation": subscription.follows.name,
            "position": subscription.position.epoch,
            "rows": subscription.position.rows,
            "lag_epochs": epochs,
            "lag_rows": rows,
            "retained_bytes": subscription.retained_bytes,
            "retention_ms": subscription.retention_us // 1000,
            "state": subscription.standing,
            "pid": subscription.reader,
        }
        for subscription in engine.subscriptions.values()
        for epochs, rows in (subscription.lag,)
    ]


def _epochs(engine: Engine) -> list[Row]:
    durable = engine.durability.log.durable_epoch
    return [{"epoch": engine.epoch, "durable_epoch": durable, "frontier": engine.floor()}]


def _checkpoints(engine: Engine) -> list[Row]:
    """One for each name of a checkpoint, and one for a checkpoint without; the last taken says what it took."""
    last = engine.durability.last
    rows = []
    for info in engine.durability.checkpoints():
        row: Row = {"epoch": info.epoch, "taken": info.at_us, "parts": info.parts, "bytes": info.bytes}
        if info.damage is not None:
            row = {"epoch": info.epoch, "damage": info.damage}
        elif last is not None and last[0] == info.epoch:
            row |= {"seconds": last[1], "bytes_written": last[2]}
        rows += [row | {"name": name} for name in info.names or (None,)]
    return rows


def _errors(engine: Engine) -> list[Row]:
    rows = []
    for relation in engine.catalog.relations.values():
        if (
            relation.is_upcoming
            or relation.kind != "side output"
            or relation.owner is None
            or relation.name != f"{relation.owner}_errors"
        ):
            continue
        state = engine.states[relation.name]
        rows += [{"relation": relation.owner, **row} for row in state.version().scan(state.frontier).to_pylist()]
    return rows


_READERS: dict[str, Callable[[Engine], list[Row]]] = {
    "constellation.relations": _relations,
    "constellation.jobs": _jobs,
    "constellation.operators": _operators,
    "constellation.windows": _windows,
    "constellation.sources": _sources,
    "constellation.lookups": _lookups,
    "constellation.backfills": _backfills,
    "constellation.sinks": _sinks,
    "constellation.state": _state,
    "constellation.aggregates": _aggregates,
    "constellation.workers": _workers,
    "constellation.channels": _channels,
    "constellation.subscriptions": _subscriptions,
    "constellation.epochs": _epochs,
    "constellation.checkpoints": _checkpoints,
    "constellation.errors": _errors,
}
