"""ALTER at run time: relations get other definitions at an epoch, and what reads them goes on.

What runs over a relation whose columns change is taken down and set up
again, as a restart would do it: the table's rows in their new form, the state
of the jobs as it was. That is right because nothing is on its way: the caller
has waited until the jobs have done all epochs before this one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from constellationdb.catalog.catalog import Catalog
from constellationdb.catalog.model import Alter, Relation
from constellationdb.engine.job import Counters, Job
from constellationdb.engine.manifest import Home
from constellationdb.engine.reshape import reshape_of
from constellationdb.engine.sources import SourceState
from constellationdb.engine.stopped import is_stopped
from constellationdb.engine.tables import TableState
from constellationdb.errors import ObjectInUse, RelationUnusable
from constellationdb.planner.plan import copies_of

if TYPE_CHECKING:
    from constellationdb.engine.engine import Engine

_PATIENCE_SECONDS = 10.0


@dataclass(frozen=True)
class Taken:
    """A job that was taken down: what it is set up from."""

    oid: int
    home: Home
    state: Mapping[str, pa.RecordBatch]
    watermarks: Mapping[str, int]
    counters: Counters
    position: int
    failure: BaseException | None


def settle(engine: Engine, command: Alter, epoch: int) -> None:
    """Wait until the views over what changes have done the epochs before; 55006 when they do not get there."""

    def reached() -> bool:
        jobs = [*_jobs(engine, command), *_indexed(engine, command)]
        return all(is_stopped(job) or (not job.starting and job.reached() >= epoch - 1) for job in jobs)

    if not engine.wait(reached, timeout=_PATIENCE_SECONDS):
        name = command.relations[0].shown
        raise ObjectInUse(
            f'cannot ALTER "{name}" because it is being used by active queries',
            detail="A view over it is still computing.",
        )


def _jobs(engine: Engine, command: Alter) -> list[Job]:
    return [job for job in engine.jobs.values() if command.sources.keys() & {job.name, *job.inputs}]


def _indexed(engine: Engine, command: Alter) -> list[Job]:
    """The views that get an index."""
    return [engine.jobs[r.name] for r in command.relations if r.indexes and r.name in engine.jobs]


def apply(engine: Engine, command: Alter, catalog: Catalog, epoch: int) -> None:
    """Under the engine's lock."""
    before = epoch - 1
    taken = take_down(engine, _jobs(engine, command))
    for relation in command.relations:
        _redefine(engine, command, catalog.get(relation.name), before)
    engine.durability.handed_over(set(taken))
    engine.durability.redefined(set(command.sources))
    set_up(engine, catalog, taken, before)


def take_down(engine: Engine, jobs: Sequence[Job]) -> dict[str, Taken]:
    """Under the engine's lock: views' jobs, to be set up anew; those of queries are at their end."""
    taken = {job.name: _take_down(engine, job) for job in jobs if not job.name.startswith("#")}
    for job in jobs:
        if job.name.startswith("#"):
            _end(engine, job)
    return taken


def set_up(engine: Engine, catalog: Catalog, taken: Mapping[str, Taken], epoch: int) -> None:
    """As they are defined now, with the state they had at ``epoch``."""
    for name, parts in taken.items():
        _set_up(engine, catalog.get(name), parts, epoch)


def _take_down(engine: Engine, job: Job) -> Taken:
    graph = job.graph
    taken = Taken(job.oid, graph.home, graph.snapshot(), graph.watermarks(), job.counters, job.position, job.failure)
    engine.end(job)
    del engine.jobs[job.name]
    return taken


def _end(engine: Engine, job: Job) -> None:
    """A query that nobody named does not outlive the definition that it was planned over."""
    names = ", ".join(f'"{name}"' for name in job.inputs)
    job.failure = RelationUnusable(f"{names} was altered: run the query again")
    engine.worker.remove(job)


def _redefine(engine: Engine, command: Alter, relation: Relation, before: int) -> None:
    match relation.kind:
        case "sequence":
            engine.sequences[relation.name].redefine(relation, command.restarts.get(relation.name))
        case "table":
            state = engine.states[relation.name]
            assert isinstance(state, TableState)
            state.relation = relation
            if relation.name in command.sources:
                _reshape(engine, command, state, relation, before)
        case "source":
            source = engine.states[relation.name]
            assert isinstance(source, SourceState)
            source.relation = relation
            if relation.name in command.sources:
                fresh = source.redefined(relation)
                engine.add_source(fresh)
                source.give_way(fresh)
        case "sink":
            engine.redefine_sink(relation)
        case "materialized view" if relation.indexes:
            engine.states[relation.name].arrange()
        case _:
            pass  # a view is its entry in the catalog, and its job is set up again


def _reshape(engine: Engine, command: Alter, state: TableState, relation: Relation, before: int) -> None:
    reshape = reshape_of(command, relation)
    assert reshape is not None
    fresh = TableState(relation, before, engine.progress, engine.schema_name)
    fresh.contents.restore(reshape.rows(state.contents.snapshot()), before)
    fresh.watermark = state.watermark
    engine.states[relation.name] = fresh
    state.give_way(fresh)


def _set_up(engine: Engine, view: Relation, taken: Taken, epoch: int) -> None:
    job = engine.make_job(view, taken.oid)
    engine.rehome(job, taken.home)
    job.graph.restore(taken.state, taken.watermarks, epoch)
    job.reload(epoch, copies_of(job.plan.root))
    job.counters, job.failure = taken.counters, taken.failure
    job.position = epoch if taken.failure is None else taken.position
    for given in job.inputs.values():
        given.consumers.add(job)
    engine.jobs[job.name] = job
    job.resume()
    if job.failure is None:
        engine.worker.add(job)
        engine.worker.send_requests(job)
