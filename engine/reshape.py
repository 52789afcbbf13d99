"""A table's rows with other columns: what ALTER TABLE makes of those that are there.

sources (0, 2, -1)      the first column, the third, and a new one that holds ``fills``
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from constellationdb.catalog.model import Alter, Relation
from constellationdb.engine import batch as zset
from constellationdb.storage.arrow_blobs import from_ipc


@dataclass(frozen=True)
class Reshape:
    """``sources``: where each column of ``schema`` was before, -1 for one that ``fills`` (one row) has."""

    schema: pa.Schema
    sources: tuple[int, ...]
    fills: pa.RecordBatch

    def rows(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """A batch of rows of the old columns; weights stay."""
        nothing = pa.array(np.zeros(batch.num_rows, np.int64))
        columns = [
            self.fills.column(place).take(nothing) if source < 0 else batch.column(source)
            for place, source in enumerate(self.sources)
        ]
        rows = pa.RecordBatch.from_arrays(columns, schema=self.schema)
        weights = zset.weights(batch)
        return rows if weights is None else zset.with_weights(rows, weights)

    def table(self, rows: pa.Table) -> pa.Table:
        return pa.Table.from_batches([self.rows(batch) for batch in rows.to_batches()], self.schema)

    def old(self, columns: tuple[int, ...]) -> tuple[int, ...] | None:
        """Where columns were before; None when one of them is new."""
        found = tuple(self.sources[column] for column in columns)
        return None if -1 in found else found

    def after(self, earlier: Reshape | None) -> Reshape:
        """This one on top of an earlier one."""
        if earlier is None:
            return self
        sources = tuple(-1 if source < 0 else earlier.sources[source] for source in self.sources)
        fills = [
            self.fills.column(place) if source < 0 else earlier.fills.column(source)
            for place, source in enumerate(self.sources)
        ]
        return Reshape(self.schema, sources, pa.RecordBatch.from_arrays(fills, schema=self.schema))


def reshape_of(command: Alter, relation: Relation) -> Reshape | None:
    """What a command makes of a relation's rows; None where they stay as they are."""
    sources = command.sources.get(relation.name)
    if sources is None:
        return None
    schema = relation.schema
    stored = command.fills.get(relation.name)
    fills = pa.RecordBatch.from_arrays([pa.nulls(1, f.type) for f in schema], schema=schema)
    return Reshape(schema, sources, fills if stored is None else zset.named_like(from_ipc(stored), schema))
