"""The cursor over a subscription: what it hands out stays unacknowledged until the client says that it has it.

    in a transaction block    COMMIT acknowledges what was fetched in it; ROLLBACK and ROLLBACK TO go back
    outside of one            the next FETCH acknowledges what the ones before gave

So it stays open at COMMIT, like a cursor WITH HOLD. Whatever ends it without one of these loses nothing: the rows come
again, in the same epochs and the same order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from constellationdb.engine.canonical_order import ordered
from constellationdb.engine.cursors import StreamCursor
from constellationdb.engine.durable_subscriptions import DurableSubscription, SubscriptionPosition, check_there
from constellationdb.engine.subscription import Subscription
from constellationdb.errors import SubscriberTooSlow, UndefinedObject, WrongObjectType
from constellationdb.planner import statements as st

if TYPE_CHECKING:
    from constellationdb.engine.engine import Engine
    from constellationdb.engine.sequencer import Epoch
    from constellationdb.engine.session import Session


class SubscriptionRows:
    """The rows after a position, each epoch's in order: a ``Feed``."""

    def __init__(self, session: Session, durable: DurableSubscription, position: SubscriptionPosition) -> None:
        self._engine, self._durable = session.engine, durable
        self._subscription = Subscription(
            session.engine,
            durable.follows,
            snapshot=position.snapshot,
            as_of=position.epoch,
            cancelled=session.cancelled,
        )
        self._skipped = position.rows
        self.schema = self._subscription.schema

    @property
    def over(self) -> bool:
        return self._subscription.over

    def next(self, timeout: float | None = None) -> pa.RecordBatch | None:
        """The rows of some epochs, each whole but for the first."""
        while (rows := self._came(timeout)) is not None:
            rows = ordered(rows).slice(self._skipped)
            if rows.num_rows:
                self._skipped = 0
                return rows
        return None

    def _came(self, timeout: float | None) -> pa.RecordBatch | None:
        try:
            return self._subscription.next(timeout)
        except SubscriberTooSlow:
            with self._engine.lock:
                self._durable.check()  # which knows better what to say
            raise

    def close(self) -> None:
        self._subscription.leave()


class SubscriptionCursor(StreamCursor):
    """``given``: the position behind what was handed out; ``unit``: in which unit of work that was."""

    def __init__(self, session: Session, statement: st.DeclareCursor, durable: DurableSubscription) -> None:
        self._session = session
        self.durable = durable
        self.given = durable.position
        self.unit: object = None
        super().__init__(statement, session.engine.clock.now_us(), SubscriptionRows(session, durable, self.given))

    @property
    def oid(self) -> int:
        return self.durable.relation.oid

    def fetch(self, move: st.Fetch) -> list[pa.RecordBatch]:
        """Acknowledges first what an earlier unit of work was given."""
        if self.given != self.durable.position and self.unit != self._session.unit:
            engine, positions = self._session.engine, {self.oid: self.given}
            engine.submit(lambda epoch: acknowledge(engine, epoch, positions)).result()
        with self._session.engine.lock:
            self.durable.check()
        return super().fetch(move)

    def go_back(self, position: SubscriptionPosition) -> None:
        """What was handed out after it comes again."""
        self._stream.close()
        self._waiting.clear()
        self.given = position
        self._stream = SubscriptionRows(self._session, self.durable, position)

    def close(self) -> None:
        super().close()
        with self._session.engine.lock:
            self.durable.close()

    def _taken(self, count: int | None) -> list[pa.RecordBatch]:
        taken = super()._taken(count)
        if taken:
            self.given, self.unit = self._behind(taken), self._session.unit
        return taken

    def _behind(self, taken: list[pa.RecordBatch]) -> SubscriptionPosition:
        """The position once these rows are done with: within an epoch, if the first that waits is of the last one's."""
        epochs = np.concatenate([rows.column(0).to_numpy() for rows in taken])
        last = int(epochs[-1])
        if not self._waiting or self._waiting[0].column(0)[0].as_py() != last:
            return SubscriptionPosition(last)
        begin = int(np.searchsorted(epochs, last))
        if begin:
            return SubscriptionPosition(int(epochs[begin - 1]), len(epochs) - begin)
        position = self.given
        return SubscriptionPosition(position.epoch, position.rows + len(epochs), position.snapshot)


def acknowledge(engine: Engine, epoch: Epoch, positions: Mapping[int, SubscriptionPosition]) -> None:
    """On the sequencer's thread: the positions become part of the epoch."""
    check_there(engine, positions)
    epoch.record.acknowledged.update(positions)


def open_subscription(session: Session, statement: st.DeclareCursor, named: st.NamedSubscription) -> SubscriptionCursor:
    """One session at a time has it."""
    position = named.name_position + 1
    engine, relation = session.engine, session.catalog.relations.get(session.names.find(named.name))
    if relation is not None and relation.kind != "subscription":
        raise WrongObjectType(f'"{relation.shown}" is not a subscription', position=position)
    with engine.lock:
        durable = None if relation is None else engine.subscriptions.get(relation.name)
        if durable is None:
            raise UndefinedObject(f'subscription "{named.name}" does not exist', position=position)
        durable.open(session.pid)
    return SubscriptionCursor(session, statement, durable)
