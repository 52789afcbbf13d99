"""DML: what a statement takes away and adds, evaluated against the table as the previous one left it.

An autocommitted statement is evaluated on the sequencer's thread. A transaction
evaluates its statements against its own snapshot and overlay, and sends one
combined change at COMMIT; it fails with 40001 when a row it replaced or deleted
is no longer there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa

from constellationdb.catalog.catalog import Catalog
from constellationdb.catalog.model import Alter, Create, CreateFunction, Drop, Function, Relation, Replace
from constellationdb.engine import batch as zset
from constellationdb.engine.durable_subscriptions import check_there
from constellationdb.engine.overlay import TableOverlay
from constellationdb.engine.relation import RelationState
from constellationdb.engine.replicas import ReplicaState
from constellationdb.engine.row_rules import stricter_rules
from constellationdb.engine.sources import SourceState
from constellationdb.engine.tables import TableState, delta_of
from constellationdb.engine.transaction import Commit, defined_anew
from constellationdb.errors import ConstellationError, SerializationFailure, WrongObjectType
from constellationdb.planner.snapshot import SnapshotPlan

if TYPE_CHECKING:
    from constellationdb.engine.engine import Engine
    from constellationdb.engine.sequencer import Epoch


# Runs a planned query: (plan, extra tables by relation name) → rows.
Run: TypeAlias = Callable[[SnapshotPlan, dict[str, pa.Table]], pa.Table]


@dataclass(frozen=True)
class Write:
    """The rows a statement takes away and adds; ``count`` is for its command tag.

    ``shown`` is for RETURNING, as are the tables that the statement read ``beside`` its own.
    """

    removed: pa.RecordBatch | None
    added: pa.RecordBatch | None
    count: int
    shown: pa.RecordBatch | None = None
    beside: Mapping[str, pa.Table] = field(default_factory=dict)


_REFUSED = {
    "materialized view": 'cannot change materialized view "{name}"',
    "view": 'cannot change view "{name}"',
    "lookup table": 'cannot change lookup table "{name}"',
    "sequence": 'cannot change sequence "{name}"',
    "sink": 'cannot change sink "{name}"',
    "subscription": 'cannot change subscription "{name}"',
    "side output": 'cannot change "{name}", which the engine writes itself',
}


def check_target(relation: Relation, position: int | None, *, insert: bool) -> None:
    """42809 when a statement cannot write this relation: it may a table and, with INSERT, a push source."""
    name = relation.name
    if relation.kind in _REFUSED:
        raise WrongObjectType(_REFUSED[relation.kind].format(name=name), position=position)
    if relation.kind == "source":
        if not insert:
            raise WrongObjectType(f'cannot update or delete rows of source "{name}"', position=position)
        if "connector" in relation.options:
            raise WrongObjectType(
                f'cannot insert into source "{name}": its rows come from its connector', position=position
            )


def target(engine: Engine, name: str) -> TableState | SourceState:
    """The table or push source that rows are inserted into."""
    check_target(engine.catalog.get(name), None, insert=True)
    state = engine.state(name)
    assert isinstance(state, TableState | SourceState)
    return state


def insert_parts(
    engine: Engine, epoch: Epoch, state: RelationState, parts: Sequence[pa.RecordBatch]
) -> list[ConstellationError | None]:
    """INSERTs of complete rows, one after the other: what is wrong with each, which then leaves no row.

    They go in as one where all are good, which is nearly always; else each is tried for itself.
    """
    try:
        insert_rows(engine, epoch, state, pa.concat_batches(parts) if len(parts) > 1 else parts[0])
        return [None] * len(parts)
    except ConstellationError as error:
        if len(parts) == 1:
            return [error]
    return [found for part in parts for found in insert_parts(engine, epoch, state, [part])]


def insert_rows(engine: Engine, epoch: Epoch, state: RelationState, rows: pa.RecordBatch) -> None:
    """All of the rows, or ConstellationError and none."""
    if engine.states.get(state.name) is not state:
        raise defined_anew(state.name)
    if isinstance(state, SourceState):
        state.push(rows)
        epoch.change(state.name, rows)
    else:
        assert isinstance(state, TableState)
        apply_write(epoch, state, Write(None, rows, rows.num_rows))


def apply_write(epoch: Epoch, state: TableState, write: Write) -> bool:
    """Check a write against the table as it is now, and take it into effect: whether it changes anything."""
    if write.added is not None and write.added.num_rows:
        state.check(write.added)
        state.check_unique(write.removed, write.added, epoch.number)
    delta = delta_of(write.removed, write.added, unique=bool(state.key_columns))
    if delta is not None:
        state.contents.apply(delta, epoch.number, netted=True)
        epoch.change(state.name, delta)
    return delta is not None


def commit(engine: Engine, epoch: Epoch, work: Commit) -> int:
    """A transaction's definitions and changes, all or none: check everything, then put everything into effect."""
    _check_definitions(engine, work)
    _check_reads(engine, epoch, work)
    check_there(engine, work.acknowledged)
    for name, state in work.over.items():
        if engine.states.get(name) is not state:
            raise defined_anew(name)
        if name in work.settled:
            _refuse_changed(epoch, state, work.settled[name])
        elif name in work.changes and isinstance(state, TableState):
            _validate(state, work.changes[name], epoch.number)
    for overlay in work.altered.values():
        validate(overlay, epoch.number)
    for command in work.commands:
        engine.define(epoch, command)
        for relation in command.relations if isinstance(command, Create) else ():
            if relation.name in work.copies:  # filled before a view of the same transaction reads it
                copy = engine.states[relation.name]
                assert isinstance(copy, ReplicaState)
                engine.lookups.replicas.begin(epoch, copy, work.copies[relation.name])
    for name, position in work.sequences.items():
        engine.sequences[name].set(epoch, position)
    for name, delta in work.changes.items():
        state = target(engine, name)
        assert isinstance(state, TableState)
        state.contents.apply(delta, epoch.number)
        epoch.change(name, delta)
    for name, rows in work.pushed.items():
        source = target(engine, name)
        assert isinstance(source, SourceState)
        source.push(rows)
        epoch.change(name, rows)
    epoch.record.acknowledged.update(work.acknowledged)
    return epoch.number


def validate(table: TableOverlay, epoch: int) -> None:
    """Whether the rows of a table that was defined anew are what it demands of them now."""
    before, after = None if table.committed is None else table.committed.relation, table.relation
    rules = stricter_rules(before, after, table.schema_name)
    if rules is not None:
        rows = table.everything(epoch)
        rules.check_existing(rows)


def _refuse_changed(epoch: Epoch, state: RelationState, since: int) -> None:
    """40001 when others have changed a table of which this transaction has changed columns and rows."""
    if state.name in epoch.changes or state.log.after(since) is not None:
        raise SerializationFailure(
            "could not serialize access due to concurrent update",
            detail=f'"{state.name}" was altered by this transaction and changed by another',
            hint="run the transaction again",
        )


def _check_reads(engine: Engine, epoch: Epoch, work: Commit) -> None:
    """40001 when a table that a serializable transaction has read was changed by another one meanwhile."""
    for name in sorted(work.reads):
        state = engine.states.get(name)
        if name in epoch.changes or state is None or state.log.after(work.read_at) is not None:
            raise SerializationFailure(
                "could not serialize access due to read/write dependencies among transactions",
                detail=f'"{name}" was read by this transaction and changed by another',
                hint="The transaction might succeed if retried.",
            )


def _check_definitions(engine: Engine, work: Commit) -> None:
    """Whether the commands fit the catalog as it is; 40001 when what they were planned over is not what it was."""
    catalog = engine.catalog
    for command in work.commands:
        match command:
            case Create():
                check_inputs(engine, work.base, command.relations)
            case CreateFunction():
                _check_functions(engine.catalog, work.base, command.function)
            case Replace():
                check_inputs(engine, work.base, (command.view,))
            case Drop():
                catalog.to_drop(command.names, cascade=False)  # a dependant may have come since
            case Alter():
                _check_unchanged(engine, work.base, command)
        catalog = catalog.apply(command)


def _check_unchanged(engine: Engine, base: Catalog, command: Alter) -> None:
    for relation in command.relations:
        name = relation.name
        if name in base.relations and base.relations[name] is not engine.catalog.relations.get(name):
            raise defined_anew(name)


def check_inputs(engine: Engine, base: Catalog, defined: Iterable[Relation]) -> None:
    """40001 when what a definition was planned over is not what it was."""
    for name in {n for r in defined for n in r.depends_on}:
        planned_over = base.relations.get(name)
        if planned_over is not None and planned_over is not engine.catalog.relations.get(name):
            raise defined_anew(name)
    for relation in defined:
        _check_functions(engine.catalog, base, relation)


def _check_functions(catalog: Catalog, base: Catalog, caller: Relation | Function) -> None:
    """One that the transaction itself makes has the oid that it was known by only where nothing was defined since."""
    if catalog is base:
        return
    for oid in caller.functions:
        called = base.functions.get(oid)
        if called is None or called is not catalog.functions.get(oid):
            raise defined_anew(caller.shown if called is None else called.shown)


def _validate(state: TableState, delta: pa.RecordBatch, epoch: int) -> None:
    weights = zset.weights(delta)
    assert weights is not None
    rows = zset.data(delta)
    gone = np.flatnonzero(weights < 0)
    removed = zset.take(rows, gone)
    if len(gone) and bool((state.contents.find(removed, epoch) < -weights[gone]).any()):
        raise SerializationFailure(
            "could not serialize access due to concurrent update",
            detail=f'a row of "{state.name}" that this transaction changed was changed by another',
            hint="run the transaction again",
        )
    added = zset.take(rows, np.flatnonzero(weights > 0))
    state.check(added)
    state.check_unique(removed, added, epoch)
