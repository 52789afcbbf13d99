"""When to look through a whole state for what has expired: seldom enough that no epoch pays for the state's size."""

from __future__ import annotations

_SMALL = 4096


class Sweep:
    """A small state is looked through at every call, a large one when a quarter of it is new."""

    def __init__(self) -> None:
        self._known = 0

    def due(self, count: int, live: int) -> bool:
        """Whether now; the state has ``count`` entries, ``live`` of them in use."""
        return count <= _SMALL or count - self._known >= live // 4

    def swept(self, count: int) -> None:
        """It was looked through, and has ``count`` entries now."""
        self._known = count
