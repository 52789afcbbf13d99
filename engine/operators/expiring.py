"""Keys of a generic operator that the watermark closes: which, and the ends of those that are open."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from constellationdb.engine.operators.punctual import ends_of
from constellationdb.planner import plan


class Expiring:
    """The key column that closes first: one of each input, and one of the output with its key in front."""

    def __init__(self, node: plan.Recompute) -> None:
        column = min(node.closing, key=lambda c: (c.offset_us, c.index))
        place = node.out_keys.index((column.index,))
        self.inputs = tuple(plan.Column(keys[place], column.offset_us) for keys in node.keys)
        self.output = plan.Column(place, column.offset_us)
        self._open: set[int] = set()

    def note(self, rows: pa.RecordBatch, column: plan.Column) -> None:
        """Rows of keys that are open from now on."""
        self._open.update(np.unique(ends_of(rows.column(column.index), column.offset_us)).tolist())

    def close(self, watermark: int) -> bool:
        """Whether there are keys that the watermark has passed."""
        due = {end for end in self._open if end <= watermark}
        self._open -= due
        return bool(due)


def expiring(node: plan.Recompute) -> Expiring | None:
    """None for a node whose keys stay open for ever."""
    closing = [c for c in node.closing if (c.index,) in node.out_keys]
    return Expiring(node) if closing and len(closing) == len(node.closing) else None
