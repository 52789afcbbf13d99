"""From numpy vectors to Arrow columns without a Python object per row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from constellationdb.connectors.generator.mixing import Ints

TIMESTAMP = pa.timestamp("us")


def timestamps(times_us: Ints) -> pa.Array:
    return pa.array(times_us, pa.int64()).view(TIMESTAMP)


def decimals(unscaled: Ints, precision: int, scale: int) -> pa.Array:
    """A decimal128 column from its unscaled integers: two little-endian words a value, low one first."""
    words = np.empty((len(unscaled), 2), dtype=np.int64)
    words[:, 0] = unscaled
    words[:, 1] = unscaled >> 63
    return pa.Array.from_buffers(pa.decimal128(precision, scale), len(unscaled), [None, pa.py_buffer(words)])


class Pool:
    """A fixed list of texts; a column is taken from it by index."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = tuple(texts)
        self._array = pa.array(self.texts, pa.string())

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, indices: Ints) -> pa.Array:
        return self._array.take(pa.array(indices))
