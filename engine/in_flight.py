"""What is under way to views that have not come to a checkpoint's cut: checkpoints keep it, restarts go on with it.

    job        ── p ──┃ p+1 ··· n ┃      stands at p when the checkpoint of epoch n takes it: its state is that of p
    in flight         └───────────┘      the changes of its inputs, the watermarks, and what lookups have answered

The changes are in the blobs of the relations that they are of (``Draft.history``), each once however many views lag.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from constellationdb.engine.job import Answered, Job
from constellationdb.engine.manifest import InFlightManifest, JobManifest
from constellationdb.engine.operators.base import LookupAnswer
from constellationdb.engine.relation import RelationState


@dataclass(frozen=True)
class Unaligned:
    """``after_seconds``: so long a checkpoint waits for views before it takes them where they are; 0: not at all.

    ``most_bytes``: with more than this in flight there is no checkpoint for now.
    """

    after_seconds: float = 30.0
    most_bytes: int = 512 << 20


def in_flight(
    positions: Mapping[Job, int], answers: Iterable[Collection[Answered]], number: int
) -> InFlightManifest | None:
    """Under the engine's lock: of the jobs that stand before epoch ``number``; None when all have come to it."""
    if not positions:
        return None
    since: dict[RelationState, int] = {}
    for job, position in positions.items():
        for state in job.inputs.values():
            since[state] = min(position, since.get(state, number))
    size = sum(state.log.size_between(position, number) for state, position in since.items())
    size += sum(a.answer.keys.nbytes + a.answer.rows.nbytes for given in answers for a in given)
    return InFlightManifest({job.name: position for job, position in positions.items()}, size)


def answers_in_flight(job: JobManifest, blobs: Mapping[str, pa.RecordBatch]) -> list[Answered]:
    """What lookups had found for a job of a checkpoint, for it to take now."""
    return [Answered(a.epoch, a.at_us, a.node, LookupAnswer(blobs[a.keys], blobs[a.rows])) for a in job.answers]
