"""Relations that no further epoch will come to: the job of a view failed, theirs or that of one they are computed from.

What such a view holds is right as of its frontier and wrong ever after, so nobody is shown it as the latest answer,
and nobody waits for it: both are told 55000. A version that takes the failed one's place lets those over it go on.
A job without room for its state is paused (``pausing``): as long as it is, both are told 53100.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from constellationdb.engine.job import Job
from constellationdb.engine.relation import RelationState
from constellationdb.errors import DiskFull, RelationUnusable

if TYPE_CHECKING:
    from constellationdb.engine.cancellation import Cancellation
    from constellationdb.engine.engine import Engine


def failed_under(states: Iterable[RelationState]) -> Job | None:
    """Under the engine's lock: the failed job that one of these relations would have to wait for."""
    seen: set[int] = set()
    left = list(states)
    while left:
        writer = left.pop().writer
        if not isinstance(writer, Job) or id(writer) in seen:
            continue
        if writer.failure is not None or writer.paused is not None:
            return writer
        seen.add(id(writer))
        left += writer.inputs.values()
    return None


def is_stopped(job: Job) -> bool:
    """Under the engine's lock: whether the job will do no further epoch."""
    return job.failure is not None or job.paused is not None or failed_under(job.inputs.values()) is not None


def state_of(job: Job) -> tuple[str, str | None]:
    """Under the engine's lock: the job's state in one word, and the error that stops it."""
    stops = job.failure is not None or job.paused is not None
    failed = job if stops else failed_under(job.inputs.values())
    if failed is job:
        return ("failed", _told(job)) if job.failure is not None else ("paused", str(job.paused))
    if failed is not None:
        return "stopped", f'"{failed.name}" {"has failed" if failed.failure is not None else "is paused"}'
    return ("starting" if job.starting else "running"), None


def refuse_stopped(engine: Engine, states: Iterable[RelationState]) -> None:
    """Under the engine's lock: 55000 when one of these relations has stopped."""
    job = failed_under(states)
    if job is not None:
        raise stopped(engine, job)


def stopped(engine: Engine, job: Job) -> RelationUnusable | DiskFull:
    relation = engine.catalog.relations.get(job.name)
    name = job.name if relation is None else relation.shown
    if job.failure is None and job.paused is not None:
        return DiskFull(
            f'"{name}" is paused after epoch {job.position}: {job.paused.message}',
            hint=f"{job.paused.hint} It goes on by itself; its answer as of then is there AS OF EPOCH {job.position}.",
        )
    return RelationUnusable(
        f'"{name}" has failed and stopped after epoch {job.position}',
        detail=_told(job),
        hint=f"Create it anew; its answer as of then is there AS OF EPOCH {job.position}.",
    )


def _told(job: Job) -> str:
    return str(job.failure) or type(job.failure).__name__


def await_epoch(
    engine: Engine, states: Collection[RelationState], epoch: int, cancelled: Cancellation | None = None
) -> None:
    """Until all of these relations have an answer and have reached ``epoch``; 55000 when one of them never will."""

    def reached() -> bool:
        return all(state.ready and state.frontier >= epoch for state in states)

    engine.wait(lambda: reached() or failed_under(states) is not None, cancelled)
    with engine.lock:
        if not reached():
            refuse_stopped(engine, states)
