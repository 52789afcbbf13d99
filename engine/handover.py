"""A view's next version takes the old one's place: at one epoch the view becomes what the new one is.

Who reads the view gets the difference between the two as that epoch's change, like any other. So the relation stays
the same one, with its readers and its history; only who writes it is another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.arrangement import Arrangement
from constellationdb.engine.batch import Delta
from constellationdb.engine.contents import Version
from constellationdb.engine.relation import RelationState


@dataclass(frozen=True)
class Handover:
    """``outputs``: the old version's relations, and for each what the old and the new version held before ``epoch``."""

    epoch: int
    at_us: int
    outputs: Sequence[tuple[RelationState, Version, Version]]

    def difference(self, state: RelationState, delta: Delta) -> Delta:
        """A relation's change at the epoch: to what the new version held, and on by what the epoch does to it."""
        for output, old, new in self.outputs:
            if output is state:
                parts = [zset.negate(old.weighted(self.epoch - 1)), new.weighted(self.epoch - 1)]
                rows = [_like(part, state.schema) for part in (*parts, delta) if part is not None]
                return zset.netted(pa.concat_batches(rows))
        return delta


def handover(epoch: int, at_us: int, old: Sequence[RelationState], new: Sequence[RelationState]) -> Handover:
    """Of one version's relations to the other's. Under the engine's lock, when both have done the epochs before."""
    outputs = []
    for state, following in zip(old, new, strict=True):
        _make_changeable(state, epoch)
        outputs.append((state, state.version(), following.version()))
    return Handover(epoch, at_us, outputs)


def _make_changeable(state: RelationState, epoch: int) -> None:
    """Any row may go, whatever was known of the old version's rows. Nobody sees ``epoch`` yet."""
    state.arrange()
    if isinstance(state.contents, Arrangement):
        state.contents.identify_by(None, epoch)


def _like(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    return zset.weighted(zset.conform(batch, schema))
