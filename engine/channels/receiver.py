"""The side of a channel that messages come out of."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from constellationdb.engine.channels.messages import Decoder, Message
from constellationdb.engine.channels.sender import ChannelClosed
from constellationdb.engine.channels.wakeup import Wakeup
from constellationdb.engine.kernels import rings
from constellationdb.engine.kernels.rings import FRAME_BYTES, I64
from constellationdb.errors import InternalError


class Receiver:
    """Receives messages; one thread's. Each is copied out of the ring, so its room is free before it is used."""

    def __init__(self, memory: I64, wakeup: Wakeup, other: Wakeup) -> None:
        self.wakeup = wakeup
        self._memory = memory
        self._other = other
        self._decoder = Decoder()
        self._seen = np.zeros(4, np.int64)
        self._partial: pa.Buffer | None = None  # of a message whose pieces have not all come
        self._received = 0  # bytes of it

    def pull(self) -> Message | None:
        """The next message, None when there is none now; ChannelClosed when there will be none any more."""
        while True:
            while rings.peek(self._memory, self._seen):
                if (content := self._take()) is not None:
                    return self._decoder.read(content)
            if not rings.read_word(self._memory, rings.SENDER_CLOSED):
                return None
            # What it sent before it closed is seen by now.
            if not rings.peek(self._memory, self._seen):
                raise ChannelClosed

    @property
    def depth(self) -> tuple[int, int]:
        """The messages that wait here, and the bytes of ring that they take."""
        sent, taken, dropped, head, tail = (
            rings.read_word(self._memory, word)
            for word in (rings.SENT, rings.TAKEN, rings.DROPPED, rings.HEAD, rings.TAIL)
        )
        return max(sent - taken - dropped, 0), tail - head

    def ready(self, looks: int = 1) -> bool:
        """Whether there is a message, or will be none any more."""
        return rings.await_message(self._memory, looks)

    def park(self) -> None:
        """Ask the sender to wake this side when there is a message."""
        rings.park(self._memory, rings.RECEIVER_PARKED, 1)

    def unpark(self) -> None:
        """Ask no more."""
        rings.unpark(self._memory, rings.RECEIVER_PARKED)

    def close(self) -> None:
        """No more is read: the sender's next message is refused."""
        if rings.close_side(self._memory, rings.RECEIVER_CLOSED, rings.SENDER_PARKED):
            self._other.wake()

    def _take(self) -> pa.Buffer | None:
        """Take out the frame that was seen; the content of the message if it ends one."""
        _, size, kind, total = self._seen.tolist()
        if kind != rings.NEXT:
            # What was there in part is of a sender that died in the middle of it.
            self._partial, self._received = pa.allocate_buffer(total), 0
        elif self._partial is None:
            raise InternalError("a message of a channel began before its receiver came")
        count = min(size - FRAME_BYTES, total - self._received)
        last = self._received + count == total
        target = np.frombuffer(self._partial, np.uint8)
        taken = rings.take(self._memory, self._seen, target, self._received, count, last)
        if taken == rings.LOST:
            return None
        if taken == rings.TOOK_AND_WAKES:
            self._other.wake()
        self._received += count
        if not last:
            return None
        content, self._partial = self._partial, None
        return content
