"""Turns: the engine's threads do their small work one after the other.

An epoch of a few rows is some hundred short calls into Arrow, each of which
gives up the interpreter's lock for a moment. When several threads compute at
once they take it from each other at every such call, and the switches cost more
than the work (measured: 400 one-row INSERTs a second became 1,000). So whoever
has little to do asks for a turn first; large work, which runs outside the
interpreter for most of its time, and waiting do not.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import AbstractContextManager, nullcontext

# From here on work runs outside the interpreter long enough to be worth a second thread.
SMALL_ROWS = 16_384


class Turn:
    """A lock that goes to those who ask in the order in which they asked. Not reentrant."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._taken = False
        self._waiting: deque[threading.Lock] = deque()

    def of(self, rows: int) -> AbstractContextManager[None]:
        """A turn, if the work is on so few rows that it should take one."""
        return self if rows < SMALL_ROWS else nullcontext()

    def __enter__(self) -> None:
        with self._guard:
            if not self._taken:
                self._taken = True
                return
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        mine.acquire()

    def __exit__(self, *exc: object) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False
