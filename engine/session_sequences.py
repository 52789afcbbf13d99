"""nextval(), currval(), lastval() and setval() for one session."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa

from constellationdb.engine.sequences import SequencePosition, SequenceState
from constellationdb.errors import ObjectNotReady, ReadOnlyTransaction

if TYPE_CHECKING:
    from constellationdb.engine.sequencer import Epoch
    from constellationdb.engine.session import Session


class SessionSequences:
    """Values taken while a statement runs on the sequencer's thread are logged with its epoch, others by themselves."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._epoch: Epoch | None = None
        self._current: dict[int, int] = {}  # oid → the value that this session got last
        self._last: int | None = None  # the oid of the sequence that it got a value of last

    @contextmanager
    def within(self, epoch: Epoch) -> Iterator[None]:
        """A statement that runs on the sequencer's thread."""
        self._epoch = epoch
        try:
            yield
        finally:
            self._epoch = None

    def state(self, name: str) -> SequenceState:
        transaction = self._session.transaction
        if transaction is not None and name in transaction.sequences:
            return transaction.sequences[name]
        self._session.catalog.get(name)
        with self._session.engine.lock:
            return self._session.engine.sequences[name]

    def next(self, name: str, count: int = 1) -> list[int]:
        """The next values; they are good when the statement's epoch is, or at once where it has none."""
        if self._session.read_only:
            raise ReadOnlyTransaction("cannot execute nextval() in a read-only transaction")
        state = self.state(name)
        values = self._take(state, count)
        if values:
            self._last = state.relation.oid
            self._current[state.relation.oid] = values[-1]
        return values

    def _take(self, state: SequenceState, count: int) -> list[int]:
        engine, epoch = self._session.engine, self._epoch
        if self._is_new(state):
            return state.take_unlogged(count)
        if epoch is not None:
            return state.take(epoch, count)
        values = state.take_logged(count)
        if values is None:
            found: list[int] = engine.submit(lambda epoch: state.take(epoch, count)).result()
            return found
        engine.wait(lambda: engine.epoch >= state.epoch, self._session.cancelled)
        return values

    def _is_new(self, state: SequenceState) -> bool:
        transaction = self._session.transaction
        return transaction is not None and state in transaction.sequences.values()

    def current(self, name: str) -> int:
        relation = self.state(name).relation
        if relation.oid not in self._current:
            raise ObjectNotReady(f'currval of sequence "{relation.shown}" is not yet defined in this session')
        return self._current[relation.oid]

    def last(self) -> int:
        if self._last is None or not any(r.oid == self._last for r in self._session.catalog.relations.values()):
            raise ObjectNotReady("lastval is not yet defined in this session")
        return self._current[self._last]

    def set(self, name: str, value: int, *, called: bool) -> None:
        if self._session.read_only:
            raise ReadOnlyTransaction("cannot execute setval() in a read-only transaction")
        state, position = self.state(name), SequencePosition(value, called)
        state.check(value)
        if self._is_new(state):
            state.set(None, position)
        elif self._epoch is not None:
            state.set(self._epoch, position)
        else:
            self._session.engine.submit(lambda epoch: state.set(epoch, position)).result()
        if called:
            self._current[state.relation.oid] = value

    def shown(self, name: str) -> pa.Table:
        """What reading a sequence like a table gives: where it stands now, whatever the transaction has read before."""
        state = self.state(name)
        row = (state.position.last, state.left, state.position.called)
        return pa.Table.from_arrays([pa.array([value]) for value in row], schema=state.relation.schema)

    def forget(self) -> None:
        """DISCARD SEQUENCES."""
        self._current.clear()
        self._last = None
