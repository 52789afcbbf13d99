"""The first answer of a new job: what its inputs hold as of one epoch, run through its graph chunk by chunk.

    start ─▶ input 1, chunk by chunk ─▶ fed ─▶ input 2 … ─▶ the inputs' watermarks ─▶ ready

Between two chunks it can stop and be written down: the graph's state, the output so far, which inputs are read and
how many rows of the next one. After a restart the same steps go on from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile
from typing import TYPE_CHECKING, TypeAlias

import pyarrow as pa

from constellationdb.engine.backfills import BackfillProgress
from constellationdb.engine.graph import CLOCK, Input
from constellationdb.engine.operators.base import NO_WATERMARK, TICK_US
from constellationdb.engine.relation import RelationState

if TYPE_CHECKING:
    from constellationdb.engine.job import Job

# (rows, watermark after them) of one input as of the pinned epoch.
Chunks: TypeAlias = Iterator[tuple[pa.RecordBatch, int]]


def first_answer(job: Job, epoch: int, chunks: Mapping[str, Chunks], progress: BackfillProgress) -> Iterator[None]:
    """One step an item; at the end the job's outputs are ready, at ``epoch``."""
    if progress.begun:
        job.graph.unfed()
    else:
        progress.total = _rows_of([state for name, state in job.inputs.items() if name != CLOCK])
        job.keep(job.graph.start(epoch), epoch)
        if CLOCK in job.inputs:
            job.graph.run(epoch, {CLOCK: Input(None, tick(progress.started_us))})
        progress.begun = True
    for name, read in chunks.items():
        if name not in progress.fed:
            for rows, watermark in takewhile(lambda _: not job.has_enough(), _from_row(read, progress.read)):
                progress.took(rows)
                job.keep(job.graph.run(epoch, {name: Input(rows, watermark)}, at_us=progress.started_us), epoch)
                yield
            progress.fed.append(name)
            progress.read = 0
        job.graph.fed(name, epoch)
    marks = {name: Input(None, state.watermark) for name, state in job.inputs.items() if _at(state, epoch)}
    output = job.graph.run(epoch, marks, at_us=progress.started_us)
    job.keep(output, epoch)
    job.graph.let_go()
    for state in job.outputs.all():
        state.watermark = output.watermark if state is job.outputs.view else NO_WATERMARK
        state.log.forgotten = state.since = epoch
        state.log.forgotten_us = progress.started_us
        state.ready = True


def tick(at_us: int) -> int:
    """now() of an epoch with this clock."""
    return at_us // TICK_US * TICK_US


def _from_row(chunks: Chunks, row: int) -> Chunks:
    """Without the first rows: they have been read."""
    for rows, watermark in chunks:
        if row < rows.num_rows or not row:
            yield rows.slice(row), watermark
        row = max(0, row - rows.num_rows)


def _rows_of(states: Iterable[RelationState]) -> int | None:
    """How many rows there are to read; None when one of them is read from outside, and nobody knows."""
    known = [state.contents for state in states]
    return sum(contents.live for contents in known if contents is not None) if None not in known else None


def _at(state: RelationState, epoch: int) -> bool:
    """Whether the relation's watermark is the one of ``epoch``: nothing was published since."""
    return state.log.after(epoch) is None
