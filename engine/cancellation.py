"""How a statement is stopped: where it waits, and where DataFusion computes.

A thread inside ``interruptible`` gets an exception of the interpreter's own
making (``PyThreadState_SetAsyncExc``). DataFusion looks for one every second
while a query runs, and ends the query. It is sent once a statement, and taken
back when the thread was quicker.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from constellationdb.engine.bell import Bell
from constellationdb.errors import QueryCanceled

REQUESTED = "canceling statement due to user request"
TIMED_OUT = "canceling statement due to statement timeout"


class _Interrupted(QueryCanceled):
    """What a computing thread is thrown; the interpreter makes it, without arguments."""

    def __init__(self) -> None:
        super().__init__(REQUESTED)


class Cancellation:
    """Whether the statement is to stop. ``set`` from any thread, everything else from the statement's own."""

    def __init__(self) -> None:
        self._reason: str | None = None
        self._guard = threading.Lock()
        self._computing: int | None = None  # the thread that can be interrupted
        self._sent = False
        self._limit: object = None  # the time limit that counts: an alarm may ring when its statement has ended
        self.bell: Bell | None = None  # of the thread that waits

    def is_set(self) -> bool:
        return self._reason is not None

    def set(self, reason: str = REQUESTED, limit: object = None) -> None:
        """``limit``: the time limit that has passed; nothing happens when another one counts by now, or none."""
        with self._guard:
            if limit is not None and limit is not self._limit:
                return
            self._reason = self._reason or reason
            if self._computing is not None and not self._sent:
                self._sent = True
                _throw(self._computing, _Interrupted)
        if (bell := self.bell) is not None:
            bell.ring()

    def clear(self) -> None:
        """A new statement begins."""
        with self._guard:
            self._reason, self._computing, self._sent = None, None, False

    def limit(self) -> object:
        """A time limit begins for ``set`` to name; the one before no longer counts."""
        self.unlimit()
        with self._guard:
            self._limit = object()
            return self._limit

    def unlimit(self) -> None:
        """The statement has ended in time, even if its limit has passed since."""
        with self._guard:
            self._limit = None
            if self._reason == TIMED_OUT:
                self._reason = None

    def check(self) -> None:
        if self._reason is not None:
            raise QueryCanceled(self._reason)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """What is done inside is given up within a second or so of ``set``, with QueryCanceled."""
        self.check()
        try:
            with self._guard:
                self._computing = threading.get_ident()
            yield
            self._leave()
        except _Interrupted:
            self._leave()
            raise QueryCanceled(self._reason or REQUESTED) from None
        except GeneratorExit:  # interrupted before the inside was entered
            self._leave()
            raise
        except BaseException as error:
            self._leave()
            if self._reason is not None:  # it came up inside of what was computed
                raise QueryCanceled(self._reason) from error
            raise

    def _leave(self) -> None:
        with self._guard:
            if self._computing is not None and self._sent:
                _throw(self._computing, None)  # in case it has not come yet
            self._computing = None


def _throw(thread: int, exception: type[BaseException] | None) -> None:
    made = None if exception is None else ctypes.py_object(exception)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), made)
