"""A statement runs on a thread of its own, and its events come over a queue, so that Ctrl-C can reach it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from constellationdb.errors import ConstellationError

T = TypeVar("T")
_AHEAD = 64  # events that may wait to be printed; then the statement waits


class Quiet:
    """Nothing came for a while."""


QUIET = Quiet()


class Running(Generic[T]):
    """Iterates what ``events`` gives, on another thread.

    Ctrl-C, wherever it strikes, cancels the statement once and lets it end in
    its own way: what it then raises is raised here. A second Ctrl-C does the
    same again, for a server that has not heard the first.
    """

    def __init__(self, events: Callable[[], Iterator[T]], cancel: Callable[[], None]) -> None:
        self._cancel = cancel
        self._events: queue.Queue[T | BaseException | None] = queue.Queue(_AHEAD)
        self._thread = threading.Thread(target=self._run, args=(events,), name="statement", daemon=True)
        self._thread.start()

    @property
    def is_going(self) -> bool:
        return self._thread.is_alive()

    def get(self, timeout: float | None = None) -> T | Quiet | None:
        """The next event; QUIET when ``timeout`` seconds brought none, None at the end."""
        try:
            event = self._events.get(timeout=timeout)
        except queue.Empty:
            return QUIET
        if isinstance(event, BaseException):
            raise event
        return event

    def interrupted(self) -> None:
        """Ctrl-C: cancel, and throw away what still comes; raises what the statement raises."""
        self._try_to_cancel()
        while True:
            try:
                while self.get() is not None:
                    pass
                return
            except KeyboardInterrupt:
                self._try_to_cancel()

    def _try_to_cancel(self) -> None:
        try:
            self._cancel()
        except ConstellationError as error:  # the server does not take it; the statement goes on
            print(f"cannot cancel: {error.message}")

    def _run(self, events: Callable[[], Iterator[T]]) -> None:
        try:
            for event in events():
                self._events.put(event)
            self._events.put(None)
        except BaseException as error:
            self._events.put(error)
