"""CREATE SINK … INTO a table: its transaction is an epoch, and its marker is in the record of that epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.lengths import fitted
from constellationdb.engine.sequencer import Epoch
from constellationdb.engine.tables import TableState
from constellationdb.engine.writes import Write, apply_write
from constellationdb.errors import ConstellationError, SinkFailure

if TYPE_CHECKING:
    from constellationdb.engine.engine import Engine
    from constellationdb.engine.sinks.delivery import Delivery


class TableSink:
    """See ``Sink``. The target is here, so there is nothing to ask: the delivery knows what it has."""

    def __init__(self, engine: Engine, delivery: Delivery, table: str) -> None:
        self._engine = engine
        self._delivery = delivery
        self._table = table

    def check(self) -> None:
        return

    def open(self) -> TableWriter:
        return TableWriter(self._engine, self._delivery, self._table)


class TableWriter:
    """See ``SinkWriter``."""

    def __init__(self, engine: Engine, delivery: Delivery, table: str) -> None:
        self._engine = engine
        self._delivery = delivery
        self._table = table
        self._parts: list[tuple[pa.RecordBatch, pa.RecordBatch | None]] = []

    def position(self) -> int | None:
        return self._delivery.marker

    def write(self, rows: pa.RecordBatch, deleted: pa.RecordBatch | None = None) -> None:
        self._parts.append((rows, deleted))

    def commit(self, epoch: int) -> int:
        parts, self._parts = self._parts, []
        self._engine.submit(lambda under: self._apply(under, parts, epoch)).result()
        return sum(rows.nbytes for rows, _ in parts)

    def _apply(self, epoch: Epoch, parts: list[tuple[pa.RecordBatch, pa.RecordBatch | None]], marker: int) -> None:
        """On the sequencer's thread."""
        if self._engine.sinks.get(self._delivery.relation.name) is not self._delivery:
            return  # dropped, or another one has gone on from where this one was
        state = self._engine.states[self._table]
        assert isinstance(state, TableState)
        for rows, deleted in parts:
            try:
                apply_write(epoch, state, _replacing(state, rows, deleted, epoch.number))
            except ConstellationError as error:
                raise SinkFailure(error.message, detail=error.detail) from error
        epoch.record.sinks[self._delivery.relation.name] = marker

    def close(self) -> None:
        self._parts = []


def _replacing(state: TableState, rows: pa.RecordBatch, deleted: pa.RecordBatch | None, epoch: int) -> Write:
    """Rows in the table's columns; an upsert takes away what is there with their keys."""
    columns = [rows.column(name) for name in state.schema.names]
    rows = fitted(pa.RecordBatch.from_arrays(columns, schema=state.schema), state.relation)
    if deleted is None:
        return Write(None, rows, rows.num_rows)
    names = [state.schema.names[column] for column in state.key_columns]
    keys = pa.concat_batches(
        [zset.named_like(part.select(names), rows.select(names).schema) for part in (rows, deleted)]
    )
    _, entries = state.contents.lookup(encode_rows(keys, range(len(names))), epoch)
    return Write(state.contents.take(entries), rows, rows.num_rows)
