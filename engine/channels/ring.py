"""A ring: the memory of one direction between two processes, and what they wake each other with."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa

from constellationdb.engine.channels.receiver import Receiver
from constellationdb.engine.channels.sender import Sender, WhenFull
from constellationdb.engine.channels.waiting import SpinYield, WaitStrategy
from constellationdb.engine.channels.wakeup import Wakeup
from constellationdb.engine.kernels import rings
from constellationdb.engine.kernels.rings import HEADER_BYTES
from constellationdb.errors import InternalError

_MAGIC = int.from_bytes(b"cn-ring1", "little")


@dataclass(frozen=True)
class ChannelMetrics:
    """What is in the ring, and what has gone through it."""

    messages: int
    bytes: int
    capacity: int
    messages_sent: int
    bytes_sent: int
    messages_dropped: int
    blocked_ns: int


class Ring:
    """Shared memory with one sender and one receiver, which may be in different processes.

    A process gives another the ring by ``fds``: ``subprocess.Popen(..., pass_fds=ring.fds)`` and the numbers as
    arguments, which it attaches. Each process closes its own.
    """

    def __init__(self, memory_fd: int, message_there: Wakeup, room_there: Wakeup) -> None:
        self._fd = memory_fd
        self._message_there = message_there
        self._room_there = room_there
        mapped = mmap.mmap(memory_fd, os.fstat(memory_fd).st_size)
        self._memory = np.frombuffer(mapped, np.int64)

    @classmethod
    def create(cls, capacity: int) -> Self:
        """A new ring of at least so many bytes, in whole pages."""
        pages = max(-(-capacity // HEADER_BYTES), 1)
        fd = _memory_file(HEADER_BYTES * (1 + pages))
        ring = cls(fd, Wakeup.create(), Wakeup.create())
        rings.write_word(ring._memory, rings.CAPACITY, HEADER_BYTES * pages)
        rings.write_word(ring._memory, rings.MAGIC, _MAGIC)
        return ring

    @classmethod
    def attach(cls, fds: Sequence[int]) -> Self:
        """A ring that another process made; the file descriptors are this one's to close from now on."""
        memory_fd, *wakeups = fds
        ring = cls(memory_fd, Wakeup(*wakeups[:2]), Wakeup(*wakeups[2:]))
        if rings.read_word(ring._memory, rings.MAGIC) != _MAGIC:
            raise InternalError(f"file descriptor {memory_fd} is no ring of this version")
        return ring

    @property
    def fds(self) -> tuple[int, ...]:
        """What another process must be passed."""
        return (self._fd, *self._message_there.fds, *self._room_there.fds)

    def sender(self, when_full: WhenFull = WhenFull.BLOCK, wait: WaitStrategy = SpinYield()) -> Sender:  # noqa: B008
        """The side that sends; one at a time. A new one goes on behind what an earlier one, that died, has sent."""
        # A file of this memory, since Arrow writes into memory only from its beginning.
        sink = pa.memory_map(f"/dev/fd/{self._fd}", "r+")
        return Sender(self._memory, sink, self._room_there, self._message_there, when_full, wait)

    def receiver(self) -> Receiver:
        """The side that receives; one in the life of a ring, since only that one knows what the streams began with."""
        return Receiver(self._memory, self._message_there, self._room_there)

    def metrics(self) -> ChannelMetrics:
        """The numbers of now, as either process or both sides' threads may ask; none stops for it."""
        taken, sent, dropped, head, tail, sent_bytes, blocked, capacity = (
            rings.read_word(self._memory, word)
            for word in (
                rings.TAKEN, rings.SENT, rings.DROPPED, rings.HEAD,
                rings.TAIL, rings.SENT_BYTES, rings.BLOCKED_NS, rings.CAPACITY,
            )
        )  # fmt: skip
        inside = max(sent - taken - dropped, 0)
        return ChannelMetrics(inside, tail - head, capacity, sent, sent_bytes, dropped, blocked)

    def close(self) -> None:
        """Give the memory and the descriptors back; close this process' sender and receiver before."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            self._message_there.close()
            self._room_there.close()


def _memory_file(size: int) -> int:
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("constellation-ring", os.MFD_CLOEXEC)
    else:
        fd, path = tempfile.mkstemp(prefix="constellation-ring")
        os.unlink(path)
    os.ftruncate(fd, size)
    return fd
