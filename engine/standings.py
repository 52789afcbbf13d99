"""Where each job stands in a checkpoint: at its epoch, or, when that would take long, at an earlier one of its own.

    first answer in progress, far behind     as it is between two steps; its inputs as they were since its epoch
    failed, or over one that has failed      computed anew by the next start

So no view keeps the others from being written down. What cannot be computed anew, because it reads a
source that keeps no history, stays failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from constellationdb.engine.job import Job
from constellationdb.engine.relation import RelationState
from constellationdb.engine.sources import SourceState


@dataclass(frozen=True)
class Standing:
    """``again``: the next start computes it anew; ``failure`` is what it says otherwise, when it does not go on."""

    position: int
    again: bool = False
    failure: str | None = None


class Standings:
    """``positions``: by job, where its state was taken. ``failures``: of those that had failed by then."""

    def __init__(self, positions: Mapping[Job, int], failures: Mapping[Job, BaseException]) -> None:
        self._failures = failures
        self._anew: dict[Job, bool] = {}
        self.of = {job: self._standing(job, position) for job, position in positions.items()}

    def _standing(self, job: Job, position: int) -> Standing:
        if self._begins_again(job):
            return Standing(position, again=True)
        if job in self._failures:
            return Standing(position, failure=str(self._failures[job]))
        lost = next((state for state in job.inputs.values() if self._is_anew(state)), None)
        if lost is not None:
            return Standing(position, failure=f'"{lost.name}" had failed and was computed anew')
        return Standing(position)

    def _begins_again(self, job: Job) -> bool:
        if job not in self._anew:
            broken = job in self._failures or any(self._is_anew(state) for state in job.inputs.values())
            self._anew[job] = broken and not any(map(_forgets, job.inputs.values()))
        return self._anew[job]

    def _is_anew(self, state: RelationState) -> bool:
        return isinstance(state.writer, Job) and self._begins_again(state.writer)

    def goes_on(self, job: Job) -> bool:
        """Whether the next start goes on from the state that is written."""
        stands = self.of[job]
        return not stands.again and stands.failure is None

    def anew(self) -> set[str]:
        """The relations that will be empty at first."""
        return {out.name for job, stands in self.of.items() if stands.again for out in job.outputs.all()}

    def read_since(self, number: int) -> dict[str, int]:
        """By relation: the epoch from which on somebody still reads or writes it, where that is before ``number``."""
        found: dict[str, int] = {}
        for job, stands in self.of.items():
            if not stands.again and stands.position < number:
                for state in _relations_of(job):
                    found[state.name] = min(stands.position, found.get(state.name, number))
        return found


def _forgets(state: RelationState) -> bool:
    return isinstance(state, SourceState) and state.pushed


def _relations_of(job: Job) -> Iterable[RelationState]:
    return (*job.inputs.values(), *job.outputs.all())
