"""The side of a channel that messages go in at."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import Enum

import pyarrow as pa

from constellationdb.engine.channels.messages import Encoder, Message, standalone_size, write_standalone
from constellationdb.engine.channels.waiting import WaitStrategy, wait_any
from constellationdb.engine.channels.wakeup import Wakeup
from constellationdb.engine.kernels import rings
from constellationdb.engine.kernels.rings import FRAME_BYTES, HEADER_BYTES, I64
from constellationdb.errors import InternalError, ProgramLimitExceeded


class ChannelClosed(Exception):
    """The other side is done: nothing more comes, or nobody reads any more."""


class ChannelFull(Exception):
    """There is no room, and the channel's policy is not to wait for it."""


class ChannelTimeout(TimeoutError):
    """There was no room in the time given."""


class WhenFull(Enum):
    """What a push does when there is no room."""

    BLOCK = "block"  # waits
    DROP_OLDEST = "drop oldest"  # takes out what nobody has read yet, and counts it
    REJECT = "reject"  # fails


@dataclass
class _Refused:
    """A message that found no room, what it needs, and since when its blocked time is not counted yet."""

    message: Message
    needed: int
    since: int


@dataclass
class _Pieces:
    """A message too big for one frame: its bytes, and how many of them are in the ring."""

    message: Message
    content: pa.Buffer
    sent: int = 0


class Sender:
    """Sends messages; one thread's."""

    def __init__(
        self, memory: I64, sink: pa.NativeFile, wakeup: Wakeup, other: Wakeup, when_full: WhenFull, wait: WaitStrategy
    ) -> None:
        self.wakeup = wakeup
        self._memory = memory
        self._sink = sink
        self._other = other
        self._when_full = when_full
        self._wait = wait
        self._capacity = rings.read_word(memory, rings.CAPACITY)
        self._encoder = Encoder(sink)
        self._refused: _Refused | None = None
        self._pieces: _Pieces | None = None
        self._closed = False

    def offer(self, message: Message) -> bool:
        """Send it if there is room; never waits. False: offer the same again, or another one, when there is.

        A message of more than half the ring goes in pieces, one behind the other. From the first piece on it has to be
        offered until it is sent; only then another one can be.
        """
        if self._closed or rings.read_word(self._memory, rings.RECEIVER_CLOSED):
            raise ChannelClosed
        if self._pieces is not None:
            return self._send_pieces(message)
        needed = self._needed(message)
        if 2 * needed > self._capacity:
            self._pieces = self._cut(message, needed)
            return self._send_pieces(message)
        return self._send_whole(message, needed)

    def push(self, message: Message, timeout: float | None = None) -> None:
        """Send it, waiting for room as the channel's policy says. After a timeout: as after an ``offer`` in vain."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.offer(message):
            if self._when_full is WhenFull.REJECT:
                raise ChannelFull
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise ChannelTimeout
            wait_any([self], left, self._wait)

    def ready(self, looks: int = 1) -> bool:
        """Whether what was refused last would be taken now."""
        return rings.await_room(self._memory, self._wanted(), looks)

    def park(self) -> None:
        """Ask the receiver to wake this side when there is room."""
        rings.park(self._memory, rings.SENDER_PARKED, self._wanted())

    def unpark(self) -> None:
        """Ask no more."""
        rings.unpark(self._memory, rings.SENDER_PARKED)

    def close(self) -> None:
        """No more is sent; the receiver still gets what is in the ring, but no message that is there in part."""
        if not self._closed:
            self._closed = True
            if rings.close_side(self._memory, rings.SENDER_CLOSED, rings.RECEIVER_PARKED):
                self._other.wake()

    def _wanted(self) -> int:
        return self._refused.needed if self._refused else 0

    def _needed(self, message: Message) -> int:
        """The bytes of its frame, if it were one."""
        if self._refused is not None and self._refused.message is message:
            return self._refused.needed
        size = self._encoder.size(message) if self._when_full is WhenFull.BLOCK else standalone_size(message)
        return _frame(size)

    def _send_whole(self, message: Message, needed: int) -> bool:
        place = self._reserve(message, needed)
        if place == rings.FULL:
            return False
        self._sink.seek(self._content(place))
        if self._when_full is WhenFull.BLOCK:
            self._encoder.write(message)
        else:
            write_standalone(message, self._sink)
        size = self._sink.tell() - self._content(place)
        self._publish(place, size, rings.WHOLE, size, last=True)
        return True

    def _cut(self, message: Message, needed: int) -> _Pieces:
        if self._when_full is not WhenFull.BLOCK:
            raise ProgramLimitExceeded(
                f"message of {needed} bytes is too large for a channel of {self._capacity} bytes",
                hint="at most half of a channel that does not wait may be one message",
            )
        content = pa.allocate_buffer(standalone_size(message))
        write_standalone(message, pa.FixedSizeBufferWriter(content))
        return _Pieces(message, content)

    def _send_pieces(self, message: Message) -> bool:
        pieces = self._pieces
        if pieces is None or pieces.message is not message:
            raise InternalError("a message is in the channel in part: it has to be offered until it is sent")
        total = pieces.content.size
        while pieces.sent < total:
            size = min(total - pieces.sent, self._capacity // 4 - FRAME_BYTES)
            place = self._reserve(message, _frame(size))
            if place == rings.FULL:
                return False
            self._sink.seek(self._content(place))
            self._sink.write(pieces.content.slice(pieces.sent, size))
            kind = rings.NEXT if pieces.sent else rings.FIRST
            pieces.sent += size
            self._publish(place, size, kind, total, last=pieces.sent == total)
        self._pieces = None
        return True

    def _reserve(self, message: Message, needed: int) -> int:
        if self._when_full is WhenFull.DROP_OLDEST:
            return rings.make_room(self._memory, needed)
        place = rings.reserve(self._memory, needed)
        if self._refused is not None or place == rings.FULL:
            self._count_blocked(message, needed, place == rings.FULL)
        return place

    def _count_blocked(self, message: Message, needed: int, refused: bool) -> None:
        """Blocked is a message from its first refusal until it is taken, or another one is offered instead."""
        now = time.monotonic_ns()
        if self._refused is not None and self._refused.message is message:
            blocked = rings.read_word(self._memory, rings.BLOCKED_NS) + now - self._refused.since
            rings.write_word(self._memory, rings.BLOCKED_NS, blocked)
        self._refused = _Refused(message, needed, now) if refused else None

    def _publish(self, place: int, size: int, kind: int, total: int, last: bool) -> None:
        if rings.publish(self._memory, place, _frame(size), kind, total, last):
            self._other.wake()

    def _content(self, place: int) -> int:
        """Where in the file the content of a frame begins."""
        return HEADER_BYTES + place % self._capacity + FRAME_BYTES


def _frame(size: int) -> int:
    """The bytes of a frame with a content of so many."""
    return -(-(FRAME_BYTES + size) // FRAME_BYTES) * FRAME_BYTES
