"""Jobs whose state has no room, in memory or on disk: they pause between two steps, and go on when there is some.

A step that found none is completed in ordinary memory, so what the job holds is right, and goes into checkpoints.
Those who would wait for a paused job are told 53100, see ``stopped``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from constellationdb.engine.job import Job
from constellationdb.storage.scratch.space import current

if TYPE_CHECKING:
    from constellationdb.engine.engine import Engine

_RETRY_SECONDS = 1.0


def pause_without_room(engine: Engine, job: Job) -> None:
    """Under the engine's lock, on the thread that has done a step of the job."""
    refusal = None if engine.scratch is None else engine.scratch.take_refusal()
    if refusal is None or engine.scratch is None or engine.scratch.has_room():
        return
    job.paused, job.retry_at = refusal, engine.clock.monotonic() + _RETRY_SECONDS
    for state in engine.states.values():  # it, or one over it, may be what somebody waits for
        state.wake_readers()
    engine.moved()


def try_again(job: Job, now: float) -> None:
    """Under the engine's lock: let it go on if there is room, or look again later."""
    space = current()
    if space is None or space.has_room():
        job.paused = None
    else:
        job.retry_at = now + _RETRY_SECONDS
