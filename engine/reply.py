"""The answer to a request, waited for by one thread: a lock and a value, where a Future has a condition and a state."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Reply(Generic[T]):
    """``set_result`` or ``set_exception`` once; ``result`` as often as wanted."""

    def __init__(self) -> None:
        self._pending = threading.Lock()
        self._pending.acquire()
        self._value: list[T] = []
        self._error: BaseException | None = None

    def set_result(self, value: T) -> None:
        self._value.append(value)
        self._pending.release()

    def set_exception(self, error: BaseException) -> None:
        self._error = error
        self._pending.release()

    def result(self, timeout: float | None = None) -> T:
        """The value, as soon as it is there, or what went wrong; TimeoutError after ``timeout`` seconds."""
        if not self._pending.acquire(timeout=-1 if timeout is None else timeout):
            raise TimeoutError
        self._pending.release()
        if self._error is not None:
            raise self._error
        return self._value[0]
