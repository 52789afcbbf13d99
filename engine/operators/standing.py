"""What each kind of join shows of rows that are met and of rows that are alone."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.batch import Delta
from constellationdb.engine.kernels.rows import I64
from constellationdb.engine.operators.matches import Turned
from constellationdb.planner import plan

_PAIRED = ("inner", "left", "full")


class Standing:
    """``places``: the sides (0 left, 1 right) of which it matters; ``shows_pairs``: the pairs are shown themselves."""

    def __init__(self, node: plan.Join) -> None:
        self._kind = node.kind
        self._schema = node.schema
        self._types = [child.schema.types for child in node.children]
        self.shows_pairs = node.kind in _PAIRED
        self.places: tuple[int, ...] = {"inner": (), "full": (0, 1)}.get(node.kind, (0,))

    def shown(self, place: int, turned: Turned) -> Delta:
        match self._kind:
            case "semi":
                return self._weighted(turned.rows.columns, turned.met)
            case "anti":
                return self._weighted(turned.rows.columns, turned.alone)
            case "mark":
                marked = ((turned.met, True), (turned.alone, False))
                return zset.concat([part for part in (self._marked(turned.rows, *m) for m in marked) if part])
            case _:
                return self._padded(place, turned)

    def _padded(self, place: int, turned: Turned) -> Delta:
        """Beside NULLs for the other side."""
        nulls = [pa.nulls(turned.rows.num_rows, kind) for kind in self._types[1 - place]]
        own = turned.rows.columns
        return self._weighted([*nulls, *own] if place else [*own, *nulls], turned.alone)

    def _marked(self, rows: pa.RecordBatch, weights: I64, mark: bool) -> Delta:
        return self._weighted([*rows.columns, pa.array(np.full(rows.num_rows, mark))], weights)

    def _weighted(self, columns: list[pa.Array], weights: I64) -> Delta:
        there = np.flatnonzero(weights)
        if not len(there):
            return None
        made = zset.with_weights(pa.RecordBatch.from_arrays(columns, schema=self._schema), weights)
        return made if len(there) == made.num_rows else zset.take(made, there)
