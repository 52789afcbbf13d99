"""Subscriptions that have a name: the server keeps the place in the changes that their client has acknowledged.

    position    (epoch, rows)     all up to this epoch is acknowledged, and so many rows of what comes next
    keeps                         the log holds what comes after the position, for as long as ``retention`` says

A position is part of the record of an epoch, so it is durable when the client hears of it, and of every checkpoint.
Rows of one epoch come in an order that depends on nothing but the rows: a place among them outlives a restart.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

import msgspec

from constellationdb.catalog.model import Relation
from constellationdb.connectors.relation_options import subscription_settings
from constellationdb.errors import HistoryExpired, ObjectInUse, UndefinedObject

if TYPE_CHECKING:
    from constellationdb.engine.engine import Engine
    from constellationdb.engine.relation import RelationState

Standing = Literal["idle", "active", "expired"]


class SubscriptionPosition(msgspec.Struct, frozen=True):
    """``rows`` are of the next epoch with changes; of the ``snapshot`` as of ``epoch``, where that is still to come."""

    epoch: int
    rows: int = 0
    snapshot: bool = False


def check_there(engine: Engine, oids: Iterable[int]) -> None:
    """On the sequencer's thread: what is acknowledged must be there."""
    there = {subscription.relation.oid for subscription in engine.subscriptions.values()}
    if not there.issuperset(oids):
        raise UndefinedObject("the subscription that rows were fetched from was dropped")


class DurableSubscription:
    """Under the engine's lock. ``reader``: the session that has it open, by its number."""

    def __init__(self, relation: Relation, follows: RelationState, epoch: int) -> None:
        settings = subscription_settings(relation.options)
        self.relation = relation
        self.follows = follows
        self.retention_us = settings.integer("retention")
        self.position = SubscriptionPosition(epoch, snapshot=settings.flag("snapshot"))
        self.reader: int | None = None
        self.dropped = False
        follows.log.keepers.add(self)

    def keeps(self, epoch: int, at_us: int, now_us: int) -> bool:
        """Whether the change of this epoch is still wanted."""
        return epoch > self.position.epoch and now_us - at_us <= self.retention_us

    def end(self) -> None:
        """It is dropped: nothing is kept for it."""
        self.dropped = True
        self.follows.log.keepers.discard(self)

    # -- its reader ----------------------------------------------------------------------------

    def open(self, reader: int) -> None:
        self.check()
        if self.reader is not None:
            raise ObjectInUse(
                f'subscription "{self.relation.shown}" is active for PID {self.reader}',
                hint="one session at a time reads it, until it closes its cursor",
            )
        self.reader = reader

    def close(self) -> None:
        self.reader = None

    def check(self) -> None:
        """What keeps it from going on at its position."""
        if self.dropped:
            raise UndefinedObject(f'subscription "{self.relation.shown}" does not exist')
        if self.is_expired:
            raise HistoryExpired(
                f'subscription "{self.relation.shown}" has expired',
                detail=f"It was read up to epoch {self.position.epoch},"
                f" and changes are kept from epoch {self.follows.log.begins} on.",
                hint="drop it and create it anew, with a longer retention",
            )

    # -- what there is to tell of it -----------------------------------------------------------

    @property
    def is_expired(self) -> bool:
        return self.follows.log.begins > self.position.epoch

    @property
    def standing(self) -> Standing:
        if self.is_expired:
            return "expired"
        return "idle" if self.reader is None else "active"

    @property
    def lag(self) -> tuple[int, int | None]:
        """How many epochs the last change is ahead of the position, and how many rows of changes there are up to it.

        These are not known before the snapshot is read.
        """
        last, rows = self.follows.log.extent_after(self.position.epoch)
        epochs = 0 if last is None else last - self.position.epoch
        return epochs, None if self.position.snapshot else rows - self.position.rows

    @property
    def retained_bytes(self) -> int:
        return self.follows.log.bytes_after(self.position.epoch)
