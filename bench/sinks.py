"""Where the rows go: read and forgotten while the clock runs, summed up when it does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

_MODULUS = 1 << 127


def read_columns(batch: pa.RecordBatch) -> int:
    """Read every byte that the columns' values lie in, as a client that uses them would at least."""
    total = 0
    for column in batch.columns:
        for buffer in column.buffers():
            if buffer is not None:
                words = np.frombuffer(buffer, np.uint8, buffer.size // 8 * 8).view(np.uint64)
                total ^= int(np.bitwise_xor.reduce(words))
    return total


@dataclass(frozen=True)
class Checksum:
    """Of a multiset of rows: how many, and the sum of their hashes. Independent of order."""

    rows: int
    total: int


class Answer:
    """Adds up the changes of a view, or the rows of a result: what is there in the end, not what came by."""

    def __init__(self, types: Sequence[str]) -> None:
        self._types = types
        self._connection = duckdb.connect()
        self._connection.execute("SET threads = 1")
        self._rows = 0
        self._total = 0

    def add(self, rows: pa.RecordBatch, weights: pa.Array | None = None) -> None:
        names = [f"c{i}" for i in range(rows.num_columns)]
        weight = pa.array(np.ones(rows.num_rows, np.int64)) if weights is None else weights
        table = pa.Table.from_arrays([*rows.columns, weight], names=[*names, "weight"])
        self._connection.register("rows", table)
        typed = ", ".join(f"CAST({name} AS {kind})" for name, kind in zip(names, self._types, strict=True))
        ((rows_found, total),) = self._connection.execute(
            f"SELECT sum(weight)::HUGEINT, sum(weight * hash({typed})::HUGEINT) FROM rows"
        ).fetchall()
        self._connection.unregister("rows")
        self._rows += int(rows_found or 0)
        self._total += int(total or 0)

    def checksum(self) -> Checksum:
        return Checksum(self._rows, self._total % _MODULUS)
