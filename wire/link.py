"""Between the event loop, which owns the socket, and the thread that converses.

    loop ── put(message) ──▶ inbox ──▶ receive() ── thread
    loop ◀── _write(bytes) ── call_soon ◀── flush() ── thread

Both directions are bounded. The loop stops reading while the inbox holds too
much; ``flush`` waits while the socket does not take what was written. One
condition guards everything that both sides touch; its lock alone is taken
where nobody waits for what changes, in a third of the time.

While the loop has nothing of this connection's to write, the thread writes to
the socket itself: most answers fit into its buffer, and waking the loop for
each costs more than the write.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Hashable
from itertools import islice

from constellationdb.engine.subscription import Subscription
from constellationdb.errors import ConstellationError, QueryCanceled
from constellationdb.wire.answer import Disconnected
from constellationdb.wire.fanout import Encode, Fanouts, Member
from constellationdb.wire.messages import FrontendMessage, Sync

INBOX_LIMIT = 4 << 20
OUTBOX_LIMIT = 1 << 20
WRITE_SIZE = 64 << 10
# What a message weighs beyond its bytes: a flood of empty ones must count too.
_MESSAGE_COST = 64


class Link:
    """A connection's ``Peer`` for its thread, and the loop's side of the same."""

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, fanouts: Fanouts) -> None:
        self._loop = loop
        self._fanouts = fanouts
        self._transport = transport
        self._file: int | None = transport.get_extra_info("socket").fileno()
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._inbox: deque[tuple[FrontendMessage, int]] = deque()
        self._inbox_cost = 0
        self._reading_paused = False
        self._writing_paused = False
        self._on_the_way = 0  # bytes handed to the loop that the socket has not taken yet
        self._held = 0  # those of them that the transport holds
        self._end: Disconnected | None = None
        self._end_after_inbox = False
        self._in_copy = False
        self._canceled = False
        self._waiting = False  # for a message, with everything said
        self._out: list[bytes | memoryview] = []  # the thread's own
        self._out_size = 0

    # -- the loop's side --------------------------------------------------------------------------------------

    def put(self, message: FrontendMessage, size: int) -> None:
        with self._changed:
            self._inbox.append((message, size + _MESSAGE_COST))
            self._inbox_cost += size + _MESSAGE_COST
            full = self._inbox_cost > INBOX_LIMIT and not self._reading_paused
            self._reading_paused |= full
            self._changed.notify()
        if full:
            self._transport.pause_reading()

    def is_clear(self) -> bool:
        """Whether the thread waits for a message, and the client has everything it was sent."""
        with self._lock:
            return self._waiting and not self._inbox and self._end is None and not self._on_the_way

    def write(self, data: bytes) -> None:
        """An answer that the loop gives itself, while the link is clear."""
        with self._lock:
            left = self._write_at_once(data)
            self._on_the_way += len(left)
        if left:
            self._write(left)

    def give(self, data: bytes | memoryview) -> bool:
        """Of a subscriber's group: sent by the loop, while the thread sleeps in ``follow``."""
        with self._changed:
            left = data if self._on_the_way else self._write_at_once(data)
            self._on_the_way += len(left)
            held = self._on_the_way
        if left:
            self._write(left)
        return held <= OUTBOX_LIMIT

    def end(self, reason: ConstellationError | None, after_inbox: bool = False) -> None:
        """The thread's next call raises Disconnected; with ``after_inbox`` once it has read everything."""
        with self._changed:
            if self._end is None or not after_inbox:
                self._end = Disconnected(reason)
                self._end_after_inbox = after_inbox
            self._changed.notify()

    def cancel(self) -> None:
        """Wakes a thread that waits for COPY data; a running statement is the session's to stop."""
        with self._changed:
            self._canceled = self._in_copy
            self._changed.notify()

    def pause_writing(self) -> None:
        """The transport holds something back; with limits of 0 it says so of the first byte."""
        with self._changed:
            self._writing_paused = True

    def resume_writing(self) -> None:
        with self._changed:
            self._writing_paused = False
            self._on_the_way -= self._held
            self._held = 0
            self._changed.notify()

    def _write(self, data: bytes | memoryview) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)
        with self._changed:
            if self._writing_paused:
                self._held += len(data)
            else:
                self._on_the_way -= len(data)
                self._changed.notify()

    def closed(self) -> None:
        """The socket is gone, and its number may soon be another's."""
        with self._changed:
            self._file = None

    def _resume_reading(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    # -- the thread's side: Peer ------------------------------------------------------------------------------

    def check(self) -> None:
        with self._changed:
            self._raise_end()

    def send(self, data: bytes | memoryview) -> None:
        self._out.append(data)
        self._out_size += len(data)

    def flush_if_large(self) -> None:
        if self._out_size >= WRITE_SIZE:
            self.flush()

    def flush(self) -> None:
        self._hand_over()
        with self._changed:
            self._raise_end()
            while self._on_the_way > OUTBOX_LIMIT:
                self._changed.wait()
                self._raise_end()

    def hang_up(self, data: bytes) -> None:
        self.send(data)
        self._hand_over()

    def follow(self, subscription: Subscription, group: Hashable, encode: Encode) -> int:
        self.flush()
        if self._on_the_way:
            return 0
        member, cancelled = Member(self, subscription), subscription.cancelled
        cancelled.bell = member.bell
        self.on_loop(self._fanouts.join, member, group, encode)
        try:
            while not member.left and self._end is None:
                if cancelled.is_set():
                    self.on_loop(member.leave)
                member.bell.wait()
            if not member.left:
                self.on_loop(member.leave)
        finally:
            cancelled.bell = None
        return member.rows

    def receive(self, cancelable: bool = False) -> FrontendMessage:
        if not self._inbox and self._out:
            self.flush()
        with self._changed:
            if not cancelable:
                self._canceled = False
            self._in_copy = cancelable
            while True:
                self._raise_end()
                if self._canceled:
                    self._canceled = self._in_copy = False
                    raise QueryCanceled("canceling statement due to user request")
                if self._inbox:
                    return self._taken()
                if self._end is not None:
                    raise self._end
                self._waiting = not cancelable
                self._changed.wait()
                self._waiting = False

    def waiting(self, most: int) -> list[FrontendMessage]:
        with self._changed:
            return [message for message, _ in islice(self._inbox, most)]

    def skip(self, count: int) -> None:
        with self._changed:
            for _ in range(count):
                self._taken()

    def alone(self) -> bool:
        with self._changed:
            while not self._inbox:
                self._raise_end()
                if self._end is not None:
                    raise self._end
                self._changed.wait()
            return isinstance(self._inbox[0][0], Sync)

    def _taken(self) -> FrontendMessage:
        message, cost = self._inbox.popleft()
        self._inbox_cost -= cost
        if self._reading_paused and self._inbox_cost < INBOX_LIMIT // 2:
            self._reading_paused = False
            self.on_loop(self._resume_reading)
        return message

    def _hand_over(self) -> None:
        """One write for everything queued since the last."""
        if not self._out:
            return
        data = self._out[0] if len(self._out) == 1 else b"".join(self._out)
        self._out, self._out_size = [], 0
        with self._changed:
            left = data if self._on_the_way else self._write_at_once(data)
            self._on_the_way += len(left)
        if left:
            self.on_loop(self._write, left)

    def _write_at_once(self, data: bytes | memoryview) -> bytes | memoryview:
        """Under the condition, while nothing is with the loop: what the socket did not take."""
        if self._file is None or self._transport.is_closing():
            return data
        try:
            sent = os.write(self._file, data)
            return b"" if sent == len(data) else memoryview(data)[sent:]
        except OSError:  # full, or gone: the loop finds out which
            return data

    def on_loop(self, action: object, *arguments: object) -> None:
        assert callable(action)
        try:
            self._loop.call_soon_threadsafe(action, *arguments)
        except RuntimeError:  # the loop is closed: the server is gone, and so is the client
            self._end, self._end_after_inbox = Disconnected(None), False

    def _raise_end(self) -> None:
        if self._end is not None and not self._end_after_inbox:
            raise self._end
