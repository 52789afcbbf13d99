"""Subscribers that are sent the same bytes: a change is encoded once for all of them, on the event loop.

    relation ──ring──▶ Fanout ──encode once──▶ member, member, member …

A thread that has sent its client everything there is joins its subscription to
the group of those that follow the same relation in the same form, and sleeps.
It is woken when the client does not keep up (what the socket does not take is
held up to a limit), when a change is too large for the loop, at the end, or to
be cancelled; then it goes on by itself from where the group was. So a slow
client falls behind alone, and is told the epoch to resume from when it has
fallen behind what is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Protocol, TypeAlias

import pyarrow as pa

from constellationdb.engine.bell import Bell
from constellationdb.engine.subscription import Subscription
from constellationdb.errors import ConstellationError
from constellationdb.wire.rows import Bytes

Encode: TypeAlias = Callable[[pa.RecordBatch], Bytes]

# A larger change is encoded by each member's own thread.
MOST_ROWS = 16_384


class Receiver(Protocol):
    def give(self, data: Bytes) -> bool:
        """Send, without waiting; False once so much is held back that the client must be waited for."""
        ...


class Member:
    """One subscriber in a group. The loop sets ``left``, then rings ``bell``; ``rows`` were sent by then."""

    def __init__(self, receiver: Receiver, subscription: Subscription) -> None:
        self.receiver = receiver
        self.subscription = subscription
        self.bell = Bell()
        self.rows = 0
        self.left = False
        self.group: Fanout | None = None

    def leave(self) -> None:
        """On the loop."""
        if self.group is not None:
            self.group.remove(self)
        self._end()

    def _end(self) -> None:
        if not self.left:
            self.left = True
            self.bell.ring()

    def dismissed(self, epoch: int) -> None:
        """Out of its group, which has come to ``epoch``."""
        self.group = None
        self.subscription.epoch = epoch
        self._end()


class Fanouts:
    """The groups of one server. On its event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._groups: dict[Hashable, Fanout] = {}

    def join(self, member: Member, form: Hashable, encode: Encode) -> None:
        """Put it into its group, unless that is elsewhere in the relation's changes; then it has left again at once."""
        subscription = member.subscription
        key = subscription.relation, form
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Fanout(self._loop, subscription, encode, lambda: self._groups.pop(key, None))
        if not group.add(member):
            member.leave()


class _LoopBell(Bell):
    """Rings on the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, action: Callable[[], None]) -> None:
        super().__init__()
        self._loop = loop
        self._action = action

    def ring(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._action)
        except RuntimeError:  # the loop is closed: so are the clients
            return


class Fanout:
    """A group; ``ended`` is called when the last has left."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, like: Subscription, encode: Encode, ended: Callable[[], object]
    ) -> None:
        self._loop = loop
        self._feed = like.another()
        self._encode = encode
        self._ended = ended
        self._members: dict[Member, None] = {}
        self._bell = _LoopBell(loop, self._deliver)
        self._reached = self._feed.epoch

    def add(self, member: Member) -> bool:
        """Whether it is where the group is."""
        if self._members and not member.subscription.is_where(self._feed):
            return False
        member.group = self
        self._members[member] = None
        if len(self._members) == 1:
            self._watch()
        return True

    def remove(self, member: Member) -> None:
        if self._members.pop(member, self) is None:
            member.dismissed(self._reached)
            if not self._members:
                self._end()

    def _end(self) -> None:
        self._feed.uncall(self._bell)
        self._ended()

    def _watch(self) -> None:
        if self._members and not self._feed.call(self._bell):
            self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        """Everything that has come since."""
        if not self._members:
            return
        try:
            while (batch := self._feed.poll()) is not None:
                if batch.num_rows > MOST_ROWS:
                    self._dismiss()
                    return
                self._send(batch)
        except ConstellationError:  # each member's own thread meets it again, and says it
            self._dismiss()
            return
        self._watch()

    def _send(self, batch: pa.RecordBatch) -> None:
        data, count = self._encode(batch), batch.num_rows
        self._reached = self._feed.epoch
        for member in list(self._members):
            member.rows += count
            if not member.receiver.give(data):
                self.remove(member)

    def _dismiss(self) -> None:
        for member in list(self._members):
            self.remove(member)
