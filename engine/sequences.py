"""Sequences: numbers that are given once, whatever becomes of the transaction that took them.

    logged ahead     1 … 32 | 33 … 64        the record of an epoch says "up to 32", then 32 are given from memory

A value may leave the engine when the log says that it was given: after a crash
the sequence goes on behind what was logged, so there can be gaps and no value
comes twice. What an epoch's own statements take is logged with the epoch.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec

from constellationdb.catalog.model import Relation, SequenceParameters
from constellationdb.errors import NumericOutOfRange, SequenceLimit

if TYPE_CHECKING:
    from constellationdb.engine.sequencer import Epoch

AHEAD = 32  # values that one record allows beyond what was asked for


class SequencePosition(msgspec.Struct, frozen=True):
    """The ``last`` value; ``called``: it was given, and the one after it comes next."""

    last: int
    called: bool


class SequenceState:
    """``epoch`` is the last one with a record of this sequence: what is given from memory has to wait for it."""

    def __init__(self, relation: Relation) -> None:
        assert relation.sequence is not None
        self.relation = relation
        self.parameters: SequenceParameters = relation.sequence
        self.position = SequencePosition(self.parameters.start, called=False)
        self.logged = self.position  # what recovery would go on from
        self.epoch = 0
        self.left = 0  # values that the log allows and nobody has got
        self._guard = threading.Lock()

    def take(self, epoch: Epoch, count: int = 1) -> list[int]:
        """The next values, on the sequencer's thread: they are good when the epoch is published."""
        with self._guard:
            values, position = self._following(self.position, count)
            self.position = position
            if count > self.left:
                self.logged = self._advanced(AHEAD)
                self.left = AHEAD
                self._record(epoch)
            else:
                self.left -= count
            return values

    def take_logged(self, count: int = 1) -> list[int] | None:
        """The next values, from any thread, if the log allows them: good when ``epoch`` is published."""
        with self._guard:
            if count > self.left:
                return None
            values, self.position = self._following(self.position, count)
            self.left -= count
            return values

    def take_unlogged(self, count: int = 1) -> list[int]:
        """The next values of a sequence that nobody but the transaction which made it knows."""
        values, self.position = self._following(self.position, count)
        self.logged = self.position
        return values

    def set(self, epoch: Epoch | None, position: SequencePosition) -> None:
        """Go on from there."""
        self.check(position.last)
        with self._guard:
            self.position = self.logged = position
            self.left = 0
            if epoch is not None:
                self._record(epoch)

    def redefine(self, relation: Relation, restart: int | None) -> None:
        """ALTER SEQUENCE: what it gives next follows from the new parameters, or is ``restart``."""
        assert relation.sequence is not None
        with self._guard:
            self.relation, self.parameters, self.left = relation, relation.sequence, 0
            if restart is not None:
                self.position = self.logged = SequencePosition(restart, called=False)

    def settle(self, epoch: Epoch) -> None:
        """Give back what was logged ahead: nobody asks any more."""
        with self._guard:
            if self.logged != self.position:
                self.logged, self.left = self.position, 0
                self._record(epoch)

    def restore(self, position: SequencePosition) -> None:
        self.position = self.logged = position
        self.left = 0

    def check(self, value: int) -> None:
        """22003 for a value that the sequence does not have."""
        least, most = self.parameters.minimum, self.parameters.maximum
        if not least <= value <= most:
            name = self.relation.shown
            raise NumericOutOfRange(f'setval: value {value} is out of bounds for sequence "{name}" ({least}..{most})')

    def _record(self, epoch: Epoch) -> None:
        self.epoch = epoch.number
        epoch.record.sequences[self.relation.oid] = self.logged

    def _advanced(self, count: int) -> SequencePosition:
        """The position ``count`` values further on, or at the end where there are fewer."""
        position = self.position
        for _ in range(count):
            try:
                _, position = self._following(position, 1)
            except SequenceLimit:
                break
        return position

    def _following(self, position: SequencePosition, count: int) -> tuple[list[int], SequencePosition]:
        given = self.parameters
        first = position.last + given.increment if position.called else position.last
        last = first + (count - 1) * given.increment
        if given.minimum <= first <= given.maximum and given.minimum <= last <= given.maximum:
            return list(range(first, last + given.increment, given.increment)), SequencePosition(last, called=True)
        values = []
        for _ in range(count):
            values.append(self._next(position))
            position = SequencePosition(values[-1], called=True)
        return values, position

    def _next(self, position: SequencePosition) -> int:
        given = self.parameters
        value = position.last + given.increment if position.called else position.last
        if given.minimum <= value <= given.maximum:
            return value
        if given.cycle:
            return given.minimum if given.increment > 0 else given.maximum
        what, limit = ("maximum", given.maximum) if given.increment > 0 else ("minimum", given.minimum)
        name = self.relation.shown
        raise SequenceLimit(f'nextval: reached {what} value of sequence "{name}" ({limit})')
