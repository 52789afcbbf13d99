"""ALTER at run time: relations get other definitions at an epoch, and what reads them goes on.

What runs over a relation whose columns or name change is taken down and set up
again, as a restart would do it: the table's rows in their new form, the state
of the jobs as it was. That is right because nothing is on its way: the caller
has waited until the jobs have done all epochs before this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from constellationdb.catalog.catalog import Catalog
from constellationdb.catalog.model import Alter, Relation
from constellationdb.engine.job import Counters, Job
from constellationdb.engine.reshape import rename_key, reshape_of
from constellationdb.engine.sources import SourceState
from constellationdb.engine.tables import TableState
from constellationdb.errors import ObjectInUse, RelationUnusable

if TYPE_CHECKING:
    from constellationdb.engine.engine import Engine

_PATIENCE_SECONDS = 10.0


@dataclass(frozen=True)
class _Taken:
    """A job that was taken down: what it is set up from."""

    oid: int
    state: Mapping[str, pa.RecordBatch]
    watermarks: Mapping[str, int]
    counters: Counters
    position: int
    failure: BaseException | None


def settle(engine: Engine, command: Alter, epoch: int) -> None:
    """Wait until the views over what changes have done the epochs before; 55006 when they do not get there."""

    def reached() -> bool:
        jobs = _jobs(engine, command)
        return all(job.failure is not None or (not job.starting and job.reached() >= epoch - 1) for job in jobs)

    if not engine.wait(reached, timeout=_PATIENCE_SECONDS):
        name = command.relations[0].name
        raise ObjectInUse(
            f'cannot ALTER "{name}" because it is being used by active queries',
            detail="A view over it is still computing.",
        )


def _changed(command: Alter) -> set[str]:
    """The relations, by their old names, that are read in another way afterwards."""
    before = {new: old for old, new in command.renamed.items()}
    return {before.get(name, name) for name in command.sources} | set(command.renamed)


def _jobs(engine: Engine, command: Alter) -> list[Job]:
    changed = _changed(command)
    return [job for job in engine.jobs.values() if changed & {job.name, *job.inputs}]


def apply(engine: Engine, command: Alter, catalog: Catalog, epoch: int) -> None:
    """Under the engine's lock."""
    before = epoch - 1
    jobs = _jobs(engine, command)
    named = {old: command.renamed.get(old, old) for old in engine.states}
    taken = {named[job.name]: _take_down(engine, job, command.renamed) for job in jobs if not job.name.startswith("#")}
    for job in jobs:
        if job.name.startswith("#"):
            _end(engine, job)
    _rename(engine, command, before)
    for relation in command.relations:
        _redefine(engine, command, catalog.get(relation.name), before)
    engine.durability.redefined({*taken, *command.sources, *command.renamed.values()})
    for name, parts in taken.items():
        _set_up(engine, catalog.get(name), parts, before)


def _take_down(engine: Engine, job: Job, renamed: Mapping[str, str]) -> _Taken:
    taken = _Taken(job.oid, job.graph.snapshot(), _watermarks(job, renamed), job.counters, job.position, job.failure)
    engine.end(job)
    del engine.jobs[job.name]
    return taken


def _watermarks(job: Job, renamed: Mapping[str, str]) -> dict[str, int]:
    """Those of inputs by the inputs' new names."""
    names = {f"input/{old}": f"input/{new}" for old, new in renamed.items()}
    return {names.get(key, key): watermark for key, watermark in job.graph.watermarks().items()}


def _end(engine: Engine, job: Job) -> None:
    """A query that nobody named does not outlive the definition that it was planned over."""
    names = ", ".join(f'"{name}"' for name in job.inputs)
    job.failure = RelationUnusable(f"{names} was altered: run the query again")
    engine.worker.remove(job)


def _rename(engine: Engine, command: Alter, before: int) -> None:
    for old, new in command.renamed.items():
        rename_key(engine.states, old, new)
        rename_key(engine.sources, old, new)
        rename_key(engine.sequences, old, new)
        state = engine.states.get(new)
        if state is not None:
            state.name = new
            # Under its old name it is in no checkpoint any more.
            state.log.forgotten = state.since = before


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
                engine.add_source(source.redefined(relation))
                _replaced(source)
        case _:
            pass  # a view is its entry in the catalog, and its job is set up again


def _reshape(engine: Engine, command: Alter, state: TableState, relation: Relation, before: int) -> None:
    reshape = reshape_of(command, relation)
    assert reshape is not None
    fresh = TableState(relation, before, engine.progress)
    fresh.contents.restore(reshape.rows(state.contents.snapshot()), before)
    fresh.watermark = state.watermark
    engine.states[relation.name] = fresh
    _replaced(state)


def _replaced(state: TableState | SourceState) -> None:
    state.dropped = True
    state.wake_readers()


def _set_up(engine: Engine, view: Relation, taken: _Taken, epoch: int) -> None:
    job = engine.make_job(view, taken.oid)
    job.graph.restore(taken.state, taken.watermarks, epoch)
    job.reload(epoch)
    job.counters, job.failure = taken.counters, taken.failure
    job.position = epoch if taken.failure is None else taken.position
    for given in job.inputs.values():
        given.consumers.add(job)
    engine.jobs[job.name] = job
    job.resume()
    if job.failure is None:
        engine.worker.add(job)
        engine.worker.send_requests(job)
