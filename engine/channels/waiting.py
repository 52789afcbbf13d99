"""How a side waits for the other: it looks for a while, then sleeps until it is woken.

Who does not sleep is never woken, so nobody pays a system call for it.
"""

from __future__ import annotations

import select
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from constellationdb.engine.channels.wakeup import Wakeup

_LOOKS_AT_A_TIME = 1000


@dataclass(frozen=True)
class SpinYield:
    """Look so often, then sleep."""

    looks: int = 100


@dataclass(frozen=True)
class Spin:
    """Never sleep: the shortest wait, for a core of its own."""


@dataclass(frozen=True)
class Park:
    """Sleep at once."""


WaitStrategy: TypeAlias = SpinYield | Spin | Park


class End(Protocol):
    """One side of a channel, as far as waiting goes."""

    @property
    def wakeup(self) -> Wakeup:
        """What wakes this side."""
        ...

    def ready(self, looks: int = 1) -> bool:
        """Whether there is something to do; looked for so often."""
        ...

    def park(self) -> None:
        """Ask to be woken."""
        ...

    def unpark(self) -> None:
        """Ask no more."""
        ...


def wait_any(waitables: Sequence[End | int], timeout: float | None = None, wait: WaitStrategy | None = None) -> bool:
    """Wait until one of them is ready; False when the time was over first.

    A receiver is ready when a message is there, or none will come. A sender is ready when there is room for what it
    could not send, or nobody to read it. A number is a file descriptor, ready when it can be read or has ended.
    """
    ends = [w for w in waitables if not isinstance(w, int)]
    files = [w for w in waitables if isinstance(w, int)]
    deadline = None if timeout is None else time.monotonic() + timeout
    match wait or SpinYield():
        case Spin():
            return _spin(ends, files, deadline)
        case SpinYield(looks):
            return _any_ready(ends, looks) or _sleep(ends, files, deadline)
        case Park():
            return _sleep(ends, files, deadline)


def _any_ready(ends: Sequence[End], looks: int) -> bool:
    """Looked for ``looks`` times in all, so that many channels do not make a longer wait of it."""
    each = max(looks // max(len(ends), 1), 1)
    return any(end.ready(each) for end in ends) or any(end.ready() for end in ends)


def _spin(ends: Sequence[End], files: Sequence[int], deadline: float | None) -> bool:
    while not _any_ready(ends, _LOOKS_AT_A_TIME):
        if files and _poller(files).poll(0):
            return True
        if deadline is not None and time.monotonic() >= deadline:
            return False
    return True


def _sleep(ends: Sequence[End], files: Sequence[int], deadline: float | None) -> bool:
    """Ask each to be woken, look again, and only then sleep: what happens between the two is not missed."""
    poller = _poller([*files, *(end.wakeup.fds[0] for end in ends)])
    while True:
        try:
            for end in ends:
                end.park()
            if any(end.ready() for end in ends):
                return True
            left = None if deadline is None else max(deadline - time.monotonic(), 0.0)
            woken = {fd for fd, _ in poller.poll(None if left is None else left * 1000)}
        finally:
            for end in ends:
                end.unpark()
        for end in ends:
            if end.wakeup.fds[0] in woken:
                end.wakeup.clear()
        if not woken.isdisjoint(files) or any(end.ready() for end in ends):
            return True
        if left == 0:
            return False


def _poller(files: Sequence[int]) -> select.poll:
    poller = select.poll()
    for fd in files:
        poller.register(fd, select.POLLIN)
    return poller
