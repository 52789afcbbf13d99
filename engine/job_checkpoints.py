"""Jobs in checkpoints: what is written of one, and how it goes on from that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from constellationdb.engine.backfills import BackfillProgress
from constellationdb.engine.job import Job
from constellationdb.engine.manifest import FirstAnswerManifest, Home, JobManifest, Manifest
from constellationdb.engine.sources import SourceEnd
from constellationdb.errors import RelationUnusable
from constellationdb.planner.plan import copies_of

if TYPE_CHECKING:
    from constellationdb.engine.engine import Engine


def job_manifest(job: Job, position: int) -> JobManifest:
    return JobManifest(
        job.graph.watermarks(),
        job.outputs.view.watermark,
        job.counters.used,
        job.counters.late,
        dict(job.graph.windowed),
        position,
        False,
        None,
        job.outputs.view.ready,
        _first_answer(job.progress) if job.starting and job.progress is not None else None,
        {name: epoch for name, epoch in job.ahead.items() if epoch > position},
        job.graph.home,
    )


def _first_answer(progress: BackfillProgress) -> FirstAnswerManifest:
    return FirstAnswerManifest(
        progress.started_us,
        progress.rate,
        progress.begun,
        list(progress.fed),
        progress.read,
        progress.done,
        progress.total,
        {name: (end.positions, end.ended) for name, end in progress.ends.items()},
    )


def restore_job(
    engine: Engine,
    name: str,
    manifest: JobManifest,
    state: Mapping[str, pa.RecordBatch],
    later: Sequence[Mapping[str, pa.RecordBatch]],
    checkpoint: Manifest,
) -> None:
    """A job that ``apply_command`` has set up, its inputs and outputs restored: ``state``, and the changes to it."""
    job = engine.jobs[name]
    if manifest.again:
        engine.compute_anew(job, checkpoint.epoch, checkpoint.at_us)
        return
    position = checkpoint.epoch if manifest.position is None else manifest.position
    job.backfill = job.progress = None
    job.position, job.ahead = position, dict(manifest.ahead)
    job.counters.used, job.counters.late = manifest.used, manifest.late
    engine.rehome(job, manifest.home or Home(_workers_of(state), remote=False))
    job.graph.windowed |= manifest.windowed
    for out in job.outputs.all():
        out.ready = manifest.ready
    job.outputs.view.watermark = manifest.view_watermark
    for given in job.inputs.values():
        given.consumers.add(job)
    if manifest.failure is not None:
        job.failure = RelationUnusable(manifest.failure)
        return
    job.graph.restore(state, manifest.watermarks, position, later)
    if manifest.first is None:
        job.reload(position, copies_of(job.plan.root))
        job.look_at_clock()
    else:
        _go_on(engine, job, manifest.first, position)


def _workers_of(state: Mapping[str, pa.RecordBatch]) -> int:
    """How many shared a state of which it is not written: the second piece of its parts' names is the worker."""
    return 1 + max((int(name.split("/", 2)[1]) for name in state), default=0)


def _go_on(engine: Engine, job: Job, first: FirstAnswerManifest, position: int) -> None:
    copies = copies_of(job.plan.root)
    following = next((name for name in job.inputs if name not in first.fed), None)
    read = 0 if following in copies else first.read  # a copy is no state: what was read of it is read again
    progress = BackfillProgress(
        first.started_us,
        first.rate,
        {name: SourceEnd(*end) for name, end in first.ends.items()},
        first.begun,
        list(first.fed),
        read,
        background=True,
        done=first.done - first.read + read,
        total=first.total,
    )
    job.started_us = first.started_us
    job.reload(position, [name for name in copies if name in first.fed])
    engine.begin(job, position, progress)
