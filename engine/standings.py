"""Where each job stands in a checkpoint: at its epoch, or, when that would take long, at an earlier one of its own.

    first answer in progress, far behind     as it is between two steps; its inputs as they were since its epoch
    failed, or over one that has failed      computed anew by the next start

So no view keeps the others from being written down. What cannot be computed anew, because it reads a
source that keeps no history, stays failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from constellationdb.engine.job import Job
from constellationdb.engine.relation import RelationState
from constellationdb.engine.sources import SourceState
from constellationdb.engine.stopped import is_stopped

if TYPE_CHECKING:
    from constellationdb.engine.engine import Engine

# A view that is so many epochs behind is not waited for, and no view for longer than this.
_FAR = 64
_PATIENCE_SECONDS = 2.0


@dataclass(frozen=True)
class Standing:
    """``again``: the next start computes it anew; ``failure`` is what it says otherwise, when it does not go on."""

    position: int
    again: bool = False
    failure: str | None = None


def settle(engine: Engine, number: int) -> bool:
    """On the sequencer's thread: let the jobs reach an epoch or come to rest; those at rest are ``held`` afterwards."""
    jobs = named_jobs(engine)

    def settled() -> bool:
        return all(job.at_rest if job.held else job.reached() >= number and job.at_rest for job in jobs)

    with engine.lock:
        for job in jobs:
            job.held = job.starting or is_stopped(job) or _is_far(job, number)
    if engine.wait(settled, timeout=_PATIENCE_SECONDS):
        return True
    with engine.lock:
        if not all(job.at_rest for job in jobs if job.held):
            return False  # one step takes that long, and every epoch waits here
        for job in jobs:
            job.held = job.held or not job.handing_over
    return engine.wait(settled, timeout=_PATIENCE_SECONDS)


def release(engine: Engine) -> None:
    """Let them go on."""
    with engine.lock:
        for job in engine.jobs.values():
            job.held = False
        engine.worker.moved()


def named_jobs(engine: Engine) -> list[Job]:
    """Those of views: a query that nobody named ends with the process."""
    return [job for job in engine.jobs.values() if not job.name.startswith("#")]


def _is_far(job: Job, number: int) -> bool:
    return number - job.reached() > _FAR and not job.handing_over


def standings(engine: Engine, number: int) -> dict[str, Standing]:
    """Under the engine's lock, when they have settled."""
    anew: dict[int, bool] = {}
    return {job.name: _standing(job, number, anew) for job in named_jobs(engine)}


def _standing(job: Job, number: int, anew: dict[int, bool]) -> Standing:
    position = min(job.reached(), number)
    if _begins_again(job, anew):
        return Standing(position, again=True)
    if job.failure is not None:
        return Standing(position, failure=str(job.failure))
    lost = next((state for state in job.inputs.values() if _is_anew(state, anew)), None)
    if lost is not None:
        return Standing(position, failure=f'"{lost.name}" had failed and was computed anew')
    return Standing(position)


def _begins_again(job: Job, anew: dict[int, bool]) -> bool:
    if id(job) not in anew:
        broken = job.failure is not None or any(_is_anew(state, anew) for state in job.inputs.values())
        anew[id(job)] = broken and not any(map(_forgets, job.inputs.values()))
    return anew[id(job)]


def _is_anew(state: RelationState, anew: dict[int, bool]) -> bool:
    return isinstance(state.writer, Job) and _begins_again(state.writer, anew)


def _forgets(state: RelationState) -> bool:
    return isinstance(state, SourceState) and state.pushed


def read_since(jobs: Mapping[str, Job], standing: Mapping[str, Standing], number: int) -> dict[str, int]:
    """By relation: the epoch from which on somebody still reads or writes it, where that is before the checkpoint's."""
    found: dict[str, int] = {}
    for name, stands in standing.items():
        if not stands.again and stands.position < number:
            for state in _relations_of(jobs[name]):
                found[state.name] = min(stands.position, found.get(state.name, number))
    return found


def _relations_of(job: Job) -> Iterable[RelationState]:
    return (*job.inputs.values(), *job.outputs.all())
