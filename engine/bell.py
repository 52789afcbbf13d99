"""The least that wakes a thread: one who waits, any number who ring."""

from __future__ import annotations

import threading


class Bell:
    """Wakes one thread. A bell that rang before ``wait`` lets it pass at once; ringing twice is ringing once."""

    def __init__(self) -> None:
        self._silent = threading.Lock()
        self._silent.acquire()

    def ring(self) -> None:
        try:
            self._silent.release()
        except RuntimeError:  # it has rung already
            return

    def wait(self, seconds: float | None = None) -> None:
        self._silent.acquire(timeout=-1 if seconds is None else max(seconds, 0.0))
