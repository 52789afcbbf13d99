"""Threads that wait for the engine: each is woken when what it waits for has come, and not before.

    wait(condition)                 whoever moves the engine on tries the condition and wakes the waiter
    wait(condition, relation=…)     woken by that relation's changes alone: a thousand subscribers cost nothing

A thread that is woken takes the lock, tries its condition again and sleeps on if
it has to, so a bell that rings once too often does no harm.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from constellationdb.clock import Clock
from constellationdb.engine.bell import Bell
from constellationdb.engine.cancellation import Cancellation
from constellationdb.errors import InternalError

if TYPE_CHECKING:
    from constellationdb.engine.relation import RelationState

Condition = Callable[[], bool]


class Waiting:
    """Everybody who waits. ``lock`` is the engine's: conditions are tried under it."""

    def __init__(self, lock: threading.RLock, clock: Clock) -> None:
        self._lock = lock
        self._clock = clock
        self._watched: dict[Bell, Condition] = {}
        self._asleep: set[Bell] = set()
        self.stopping = False
        self.failure: BaseException | None = None

    def wait(
        self,
        condition: Condition,
        cancelled: Cancellation | None = None,
        timeout: float | None = None,
        relation: RelationState | None = None,
    ) -> bool:
        """Until ``condition()`` is true; False after ``timeout`` seconds, and when the engine stops."""
        with self._lock:
            if condition():
                return True
        deadline = None if timeout is None else self._clock.monotonic() + timeout
        bell = Bell()
        if cancelled is not None:
            cancelled.bell = bell
        try:
            while True:
                with self._lock:
                    if condition():
                        return True
                    left = None if deadline is None else deadline - self._clock.monotonic()
                    if not self._goes_on(cancelled) or (left is not None and left <= 0):
                        return False
                    self._lie_down(bell, condition, relation)
                bell.wait(left)
        finally:
            self._get_up(bell, cancelled, relation)

    def _goes_on(self, cancelled: Cancellation | None) -> bool:
        if self.failure is not None:
            raise InternalError("the engine has stopped", detail=str(self.failure))
        if cancelled is not None:
            cancelled.check()
        return not self.stopping

    def _lie_down(self, bell: Bell, condition: Condition, relation: RelationState | None) -> None:
        self._asleep.add(bell)
        if relation is None:
            self._watched[bell] = condition
        else:
            relation.readers.add(bell)

    def _get_up(self, bell: Bell, cancelled: Cancellation | None, relation: RelationState | None) -> None:
        if cancelled is not None:
            cancelled.bell = None
        with self._lock:
            self._asleep.discard(bell)
            self._watched.pop(bell, None)
            if relation is not None:
                relation.readers.discard(bell)

    def moved(self) -> None:
        """Under the lock: something has changed; wake those who waited for it."""
        for bell, condition in list(self._watched.items()):
            if _holds(condition):
                del self._watched[bell]
                bell.ring()

    def wake_all(self) -> None:
        """Under the lock: the engine stops or has failed."""
        for bell in self._asleep:
            bell.ring()


def _holds(condition: Condition) -> bool:
    """A condition that fails wakes its owner, who meets the error where it belongs."""
    try:
        return condition()
    except Exception:
        return True
