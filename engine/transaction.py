"""A session's transaction: definitions and writes wait until COMMIT, and then become one epoch together.

Everything it reads is as of one epoch, the latest when it first read or wrote,
with its own changes on top (READ COMMITTED, if asked for, takes the latest
epoch anew for each statement). A view does not contain those changes before
COMMIT: reading one that depends on them is refused, not answered with the past.

What a transaction did is kept as a list of operations; the catalog and the
tables as it sees them follow from that list. ROLLBACK TO shortens it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import pyarrow as pa

from constellationdb.catalog.catalog import Catalog
from constellationdb.catalog.model import Alter, Command, Create, Drop, Relation
from constellationdb.engine import batch as zset
from constellationdb.engine.durable_subscriptions import SubscriptionPosition
from constellationdb.engine.lookups import first_copy, is_replicated
from constellationdb.engine.overlay import TableOverlay
from constellationdb.engine.relation import RelationState
from constellationdb.engine.replicas import FirstCopy
from constellationdb.engine.reshape import Reshape, reshape_of
from constellationdb.engine.sequences import SequencePosition, SequenceState
from constellationdb.engine.settings import Mark
from constellationdb.engine.sources import SourceState
from constellationdb.engine.tables import TableState
from constellationdb.errors import ReadsOwnWritesThroughView, SerializationFailure, UndefinedSavepoint

if TYPE_CHECKING:
    from constellationdb.engine.engine import Engine

_S = TypeVar("_S", TableState, SourceState)


@dataclass(frozen=True)
class Written:
    table: str
    removed: pa.RecordBatch | None
    added: pa.RecordBatch | None


@dataclass(frozen=True)
class Pushed:
    source: str
    rows: pa.RecordBatch


@dataclass(frozen=True)
class Defined:
    """``copies``: what lookup tables that it creates begin with."""

    command: Command
    copies: Mapping[str, FirstCopy]


Operation: TypeAlias = Written | Pushed | Defined


@dataclass(frozen=True)
class Savepoint:
    """``operations``, ``settings``, ``portals`` and ``given``, by subscription: what ROLLBACK TO comes back to."""

    name: str
    operations: int
    settings: Mark
    portals: int
    given: Mapping[int, SubscriptionPosition] = field(default_factory=dict)


@dataclass(frozen=True)
class Commit:
    """What COMMIT sends to the sequencer.

    ``base``: the catalog that the definitions were made over; ``over``: the
    relations, there before, that the rows are for.
    """

    base: Catalog
    commands: tuple[Command, ...]
    changes: Mapping[str, pa.RecordBatch]
    pushed: Mapping[str, pa.RecordBatch]
    copies: Mapping[str, FirstCopy]
    over: Mapping[str, RelationState]
    sequences: Mapping[str, SequencePosition]  # of those that it makes
    altered: Mapping[str, TableOverlay]  # tables that it has defined anew, as they will be
    settled: Mapping[str, int]  # tables of changed columns and rows → since when nobody else may have written them
    reads: frozenset[str] = frozenset()  # tables that must not have changed since ``read_at``
    read_at: int = 0
    acknowledged: Mapping[int, SubscriptionPosition] = field(default_factory=dict)  # by the oid of the subscription

    @property
    def relations(self) -> set[str]:
        return {*self.changes, *self.pushed}

    def into_sources(self) -> dict[SourceState, pa.RecordBatch | None]:
        """What it brings to push sources that were there before."""
        sources = {name: state for name, state in self.over.items() if isinstance(state, SourceState)}
        return {state: self.pushed[name] for name, state in sources.items() if name in self.pushed}

    @property
    def views(self) -> list[str]:
        """The materialized views it defines."""
        made = [r for c in self.commands if isinstance(c, Create) for r in c.relations]
        return [r.name for r in made if r.kind == "materialized view"]


@dataclass(eq=False)
class Transaction:
    """``explicit``: begun by BEGIN; else it ends with its message or at Sync. ``steady``: reads at one epoch.

    ``serializable``: what it has read must still be so when it commits.
    """

    explicit: bool
    read_only: bool = False
    steady: bool = True
    serializable: bool = False
    failed: bool = False
    queried: bool = False  # a statement has looked at rows: too late to change the modes
    epoch: int | None = None
    operations: list[Operation] = field(default_factory=list)
    savepoints: list[Savepoint] = field(default_factory=list)
    base: Catalog | None = None  # set by the first definition
    defined: Catalog | None = None  # base with the definitions
    tables: dict[str, TableOverlay] = field(default_factory=dict)
    sources: dict[str, SourceState] = field(default_factory=dict)
    sequences: dict[str, SequenceState] = field(default_factory=dict)  # those that it made or restarted
    shapes: dict[str, Reshape] = field(default_factory=dict)  # tables of which it has changed the columns
    written: dict[str, int] = field(default_factory=dict)  # tables → the epoch that it first wrote over
    reads: set[str] = field(default_factory=set)  # the tables that it has looked at, itself or through views
    acknowledged: Mapping[int, SubscriptionPosition] = field(default_factory=dict)  # what COMMIT says was received

    # -- its view of the catalog and the tables ------------------------------------------------

    def catalog(self, current: Catalog) -> Catalog:
        return current if self.defined is None else self.defined

    def created(self, name: str) -> bool:
        """Whether the transaction itself made the relation that it knows by this name."""
        if self.defined is None or self.base is None:
            return False
        defined, before = self.defined.relations.get(name), self.base.relations.get(name)
        return defined is not None and (before is None or before.oid != defined.oid)

    def target(self, engine: Engine, relation: Relation) -> TableOverlay | SourceState:
        """Where DML on a table or push source goes."""
        name = relation.name
        if relation.kind == "source":
            if name not in self.sources:
                self.sources[name] = _state(engine, relation, SourceState)
            return self.sources[name]
        found = self.tables.get(name)
        if found is None:
            committed = None if self.created(name) else self._committed(engine, relation)
            found = self.tables[name] = TableOverlay(
                relation, committed, self.catalog(engine.catalog).schema_name, self.shapes.get(name)
            )
        elif found.committed is not None and engine.states.get(name) is not found.committed:
            raise defined_anew(name)
        return found

    def _committed(self, engine: Engine, relation: Relation) -> TableState:
        state = engine.states.get(relation.name)
        if not isinstance(state, TableState) or state.relation.oid != relation.oid:
            raise defined_anew(relation.name)
        if relation.name not in self.shapes and state.schema != relation.schema:
            raise defined_anew(relation.name)
        return state

    def check_reads(self, catalog: Catalog, names: Iterable[str], *, changes: bool = False) -> None:
        """25001 for what has no answer yet: a view over relations that this transaction has changed.

        ``changes``: they are read by SUBSCRIBE or a continuous query, which see nothing of a transaction.
        """
        touched = {
            o.table if isinstance(o, Written) else o.source for o in self.operations if not isinstance(o, Defined)
        }
        for name in names:
            relation = catalog.relations.get(name)
            if relation is None or relation.kind in ("view", "sequence") or (relation.kind == "table" and not changes):
                continue
            if self.created(name):
                raise ReadsOwnWritesThroughView(
                    f'{relation.kind} "{name}" was created in this transaction and has no rows before COMMIT',
                    hint="COMMIT first",
                )
            stale = sorted(catalog.bases_of(name) & touched)
            if stale:
                raise ReadsOwnWritesThroughView(
                    f'"{name}" does not show this transaction\'s changes of "{stale[0]}" before COMMIT',
                    hint="COMMIT first, or read the table itself",
                )

    # -- its operations ------------------------------------------------------------------------

    def write(self, table: TableOverlay, removed: pa.RecordBatch | None, added: pa.RecordBatch | None) -> None:
        self.written.setdefault(table.name, self.epoch or 0)
        table.write(removed, added)
        self.operations.append(Written(table.name, removed, added))

    def push(self, source: str, rows: pa.RecordBatch) -> None:
        self.operations.append(Pushed(source, rows))

    def define(self, engine: Engine, command: Command) -> None:
        made = command.relations if isinstance(command, Create) else ()
        copies = {relation.name: first_copy(relation) for relation in made if is_replicated(relation)}
        self._take_definition(engine, command)
        self.operations.append(Defined(command, copies))

    def _take_definition(self, engine: Engine, command: Command) -> None:
        if self.base is None or self.defined is None:
            self.base = self.defined = engine.catalog
        self.defined = self.defined.apply(command)
        for name in _touched(command):
            self.tables.pop(name, None)
            self.sources.pop(name, None)
            self.sequences.pop(name, None)
        if isinstance(command, Create):
            for relation in command.relations:
                if relation.kind == "source":
                    self.sources[relation.name] = SourceState(relation, 0, engine.clock)
                if relation.kind == "sequence":
                    self.sequences[relation.name] = SequenceState(self.defined.get(relation.name))
        elif isinstance(command, Alter):
            self._take_alteration(engine, command)

    def _take_alteration(self, engine: Engine, command: Alter) -> None:
        assert self.defined is not None
        for relation in command.relations:
            altered = self.defined.get(relation.name)
            if altered.kind == "table":
                self._alter_table(engine, altered, reshape_of(command, altered))
            elif altered.name in self.sequences:
                self.sequences[altered.name].redefine(altered, command.restarts.get(altered.name))
            elif altered.name in command.restarts:  # it begins anew for itself alone, until COMMIT
                self.sequences[altered.name] = fresh = SequenceState(altered)
                fresh.restore(SequencePosition(command.restarts[altered.name], called=False))

    def _alter_table(self, engine: Engine, table: Relation, reshape: Reshape | None) -> None:
        known = self.tables.get(table.name)
        if reshape is None:
            if known is not None:
                known.relation = table
            return
        if not self.created(table.name):
            self.shapes[table.name] = reshape.after(self.shapes.get(table.name))
        self.tables.pop(table.name, None)
        fresh = self.target(engine, table)
        if known is not None and known.delta is not None:
            assert isinstance(fresh, TableOverlay)
            fresh.take_over(reshape.rows(known.delta))

    def to_commit(self, engine: Engine) -> Commit | None:
        """None when there is nothing to do."""
        commands = tuple(o.command for o in self.operations if isinstance(o, Defined))
        changes = {name: delta for name, table in self.tables.items() if (delta := table.delta) is not None}
        pushed: dict[str, list[pa.RecordBatch]] = {}
        copies: dict[str, FirstCopy] = {}
        for operation in self.operations:
            match operation:
                case Pushed(source, batch):
                    pushed.setdefault(source, []).append(batch)
                case Defined(Drop(names)):
                    for name in names:
                        pushed.pop(name, None)
                        copies.pop(name, None)
                case Defined(_, created):
                    copies.update(created)
                case _:
                    pass
        rows = {name: whole for name, parts in pushed.items() if (whole := zset.concat(parts)) is not None}
        if not (commands or changes or rows or self.acknowledged):
            return None
        over: dict[str, RelationState] = {n: t.committed for n, t in self.tables.items() if t.committed is not None}
        over |= {n: s for n, s in self.sources.items() if not self.created(n)}
        altered = {relation.name for c in commands if isinstance(c, Alter) for relation in c.relations}
        settled = {n: self.written[n] for n in self.shapes if n in self.written and n in over}
        tables = {n: t for n, t in self.tables.items() if n in altered and t.committed is not None}
        given = {name: sequence.position for name, sequence in self.sequences.items()}
        reads = frozenset(self.reads) if self.serializable and self.epoch is not None else frozenset()
        base, read_at = self.base or engine.catalog, self.epoch or 0
        return Commit(
            base, commands, changes, rows, copies, over, given, tables, settled, reads, read_at, self.acknowledged
        )

    def next_statement(self, engine: Engine) -> None:
        """READ COMMITTED takes the latest epoch anew for each statement."""
        if not self.steady:
            self.end(engine)
            self.epoch = None

    def end(self, engine: Engine) -> None:
        """Its epoch need not be kept any more."""
        with engine.lock:
            engine.pins.pop(self, None)

    # -- savepoints ----------------------------------------------------------------------------

    def savepoint(self, name: str, settings: Mark, portals: int, given: Mapping[int, SubscriptionPosition]) -> None:
        self.savepoints.append(Savepoint(name, len(self.operations), settings, portals, given))

    def rollback_to(self, engine: Engine, name: str) -> Savepoint:
        index = self._find(name)
        savepoint = self.savepoints[index]
        kept = self.operations[: savepoint.operations]
        del self.savepoints[index + 1 :]
        self.failed = False
        if len(kept) < len(self.operations):
            self._replay(engine, kept)
        return savepoint

    def _replay(self, engine: Engine, kept: list[Operation]) -> None:
        base, self.operations = self.base, kept
        self.tables, self.sources, made, self.sequences = {}, {}, self.sequences, {}
        self.shapes, self.written = {}, {}
        self.base = self.defined = base if any(isinstance(o, Defined) for o in kept) else None
        for operation in kept:
            match operation:
                case Written(name, removed, added):
                    table = self.target(engine, self.catalog(engine.catalog).get(name))
                    assert isinstance(table, TableOverlay)
                    self.written.setdefault(name, self.epoch or 0)
                    table.write(removed, added)
                case Pushed(name):
                    self.target(engine, self.catalog(engine.catalog).get(name))
                case Defined(command):
                    self._take_definition(engine, command)
        for sequence in self.sequences.values():  # a value that was given is not given again
            if (before := made.get(sequence.relation.name)) is not None:
                sequence.restore(before.position)

    def release(self, name: str) -> None:
        del self.savepoints[self._find(name) :]

    def _find(self, name: str) -> int:
        for index in range(len(self.savepoints) - 1, -1, -1):
            if self.savepoints[index].name == name:
                return index
        raise UndefinedSavepoint(f'savepoint "{name}" does not exist')


def _touched(command: Command) -> tuple[str, ...]:
    """The relations that are not what they were."""
    match command:
        case Drop(names):
            return names
        case Create(relations):
            return tuple(relation.name for relation in relations)
        case _:
            return ()  # what nobody writes to


def _state(engine: Engine, relation: Relation, kind: type[_S]) -> _S:
    state = engine.states.get(relation.name)
    if not isinstance(state, kind) or state.relation.oid != relation.oid or state.schema != relation.schema:
        raise defined_anew(relation.name)
    return state


def defined_anew(name: str) -> SerializationFailure:
    return SerializationFailure(
        f'could not serialize access: "{name}" was dropped or defined anew by another session',
        hint="run the transaction again",
    )
