"""DML: what a statement takes away and adds, evaluated against the table as the previous one left it.

An autocommitted statement is evaluated on the sequencer's thread. A transaction
evaluates its statements against its own snapshot and overlay, and sends one
combined change at COMMIT; it fails with 40001 when a row it replaced or deleted
is no longer there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.relation import RelationState
from constellationdb.engine.sources import SourceState
from constellationdb.engine.tables import TableState, delta_of
from constellationdb.errors import SerializationFailure, WrongObjectType

if TYPE_CHECKING:
    from constellationdb.engine.engine import Engine
    from constellationdb.engine.sequencer import Epoch


@dataclass(frozen=True)
class Write:
    """The rows a statement takes away and adds; ``count`` is for its command tag, ``shown`` for RETURNING."""

    removed: pa.RecordBatch | None
    added: pa.RecordBatch | None
    count: int
    shown: pa.RecordBatch | None = None


_REFUSED = {
    "materialized view": 'cannot change materialized view "{name}"',
    "view": 'cannot change view "{name}"',
    "lookup table": 'cannot change lookup table "{name}"',
    "side output": 'cannot change "{name}", which the engine writes itself',
}


def target(engine: Engine, name: str, position: int | None, *, insert: bool) -> RelationState:
    """The table (or, for INSERT, push source) that a statement writes; 42809 when it cannot be written."""
    relation = engine.catalog.get(name, position)
    if relation.kind in _REFUSED:
        raise WrongObjectType(_REFUSED[relation.kind].format(name=name), position=position)
    state = engine.state(name)
    if isinstance(state, SourceState):
        if not insert:
            raise WrongObjectType(f'cannot update or delete rows of source "{name}"', position=position)
        if not state.pushed:
            raise WrongObjectType(
                f'cannot insert into source "{name}": its rows come from its connector', position=position
            )
    return state


def insert_rows(engine: Engine, epoch: Epoch, name: str, rows: pa.RecordBatch) -> int:
    """Plain INSERT of complete rows: the epoch they are in."""
    state = target(engine, name, None, insert=True)
    rows = zset.conform(rows, state.schema)
    if isinstance(state, SourceState):
        state.push(rows)
        epoch.change(name, rows)
        return epoch.number
    assert isinstance(state, TableState)
    apply_write(epoch, state, Write(None, rows, rows.num_rows))
    return epoch.number


def apply_write(epoch: Epoch, state: TableState, write: Write) -> None:
    """Check a write against the table as it is now, and take it into effect."""
    if write.added is not None and write.added.num_rows:
        state.check(write.added)
        state.check_unique(write.removed, write.added, epoch.number)
    delta = delta_of(write.removed, write.added)
    if delta is not None:
        state.contents.apply(delta, epoch.number)
        epoch.change(state.name, delta)


def commit(engine: Engine, epoch: Epoch, changes: dict[str, pa.RecordBatch], pushed: dict[str, pa.RecordBatch]) -> int:
    """A transaction's changes, all or none: validate every table, then apply every one."""
    states = {}
    for name, delta in changes.items():
        state = target(engine, name, None, insert=True)
        assert isinstance(state, TableState)
        _validate(state, delta, epoch.number)
        states[name] = state
    for name, state in states.items():
        state.contents.apply(changes[name], epoch.number)
        epoch.change(name, changes[name])
    for name, rows in pushed.items():
        source = target(engine, name, None, insert=True)
        assert isinstance(source, SourceState)
        source.push(rows)
        epoch.change(name, rows)
    return epoch.number


def _validate(state: TableState, delta: pa.RecordBatch, epoch: int) -> None:
    weights = zset.weights(delta)
    assert weights is not None
    rows = zset.data(delta)
    gone = np.flatnonzero(weights < 0)
    removed = zset.take(rows, gone)
    if len(gone) and bool((state.contents.find(removed) < -weights[gone]).any()):
        raise SerializationFailure(
            "could not serialize access due to concurrent update",
            detail=f'a row of "{state.name}" that this transaction changed was changed by another',
            hint="run the transaction again",
        )
    state.check_unique(removed, zset.take(rows, np.flatnonzero(weights > 0)), epoch)
