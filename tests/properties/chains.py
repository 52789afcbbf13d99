"""What checkpoints keep of a graph: its state as a whole, and what has changed at up to ten later ones, as bytes."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.graph import Graph
from constellationdb.engine.operators.build import LookupFactory
from constellationdb.planner import plan
from constellationdb.storage.arrow_blobs import from_ipc, ipc_buffer

LONGEST = 10


class Chain:
    """``write`` is a checkpoint of ``graph``, ``restored`` a start from the last one. ``longest``: it ever was."""

    def __init__(self, root: plan.AnyNode, workers: int = 1, lookups: LookupFactory | None = None) -> None:
        self._root, self._workers, self._lookups = root, workers, lookups
        self.graph = self.fresh()
        self._whole: dict[str, pa.RecordBatch] = {}
        self._later: list[dict[str, pa.RecordBatch]] = []
        self._marks: dict[str, int] = {}
        self._begun = False
        self.longest = 0
        self.anew: set[str] = set()  # what was written as a whole where changes were asked for

    def fresh(self) -> Graph:
        return Graph(self._root, workers=self._workers, lookups=self._lookups)

    def write(self) -> None:
        if not self._begun or len(self._later) == LONGEST:
            self._whole, self._later, self._begun = _through_bytes(self.graph.snapshot()), [], True
        else:
            found = self.graph.changes()
            again = tuple(found.anew)
            self.anew |= found.anew
            self._whole = {k: b for k, b in self._whole.items() if not k.startswith(again)}
            self._later = [{k: b for k, b in part.items() if not k.startswith(again)} for part in self._later]
            self._whole |= _through_bytes(found.whole)
            self._later.append(_through_bytes(found.changed))
        self._marks = self.graph.watermarks()
        self.longest = max(self.longest, len(self._later))

    def restored(self, epoch: int, random: Random) -> Graph:
        """The rows of Z-sets have no order."""
        graph = self.fresh()
        later = [_shuffled(part, random) for part in self._later]
        graph.restore(_shuffled(self._whole, random), self._marks, epoch, later)
        return graph

    def size(self) -> tuple[int, int]:
        """The bytes of the whole, and of the last change."""
        return _bytes(self._whole), _bytes(self._later[-1]) if self._later else 0


def _bytes(state: Mapping[str, pa.RecordBatch]) -> int:
    return sum(ipc_buffer(batch).size for batch in state.values())


def _through_bytes(state: Mapping[str, pa.RecordBatch]) -> dict[str, pa.RecordBatch]:
    return {name: from_ipc(ipc_buffer(batch)) for name, batch in state.items()}


def _shuffled(state: Mapping[str, pa.RecordBatch], random: Random) -> dict[str, pa.RecordBatch]:
    return {name: _permuted(batch, random) if zset.is_weighted(batch) else batch for name, batch in state.items()}


def _permuted(batch: pa.RecordBatch, random: Random) -> pa.RecordBatch:
    order = random.sample(range(batch.num_rows), batch.num_rows)
    return batch.take(pa.array(order, pa.int64()))
