"""The rows of a push source that some view has yet to do, and how many there may be."""

from __future__ import annotations

from collections import deque


class Backlog:
    """Under the engine's lock. ``admitted``: rows, and bytes, of statements that may go on and have not come yet."""

    def __init__(self, max_rows: int, max_bytes: int) -> None:
        self._max_rows, self._max_bytes = max_rows, max_bytes
        self._epochs: deque[tuple[int, int, int]] = deque()
        self.rows = self.bytes = 0
        self.admitted = (0, 0)
        self.senders = 0  # who wait

    def add(self, epoch: int, rows: int, size: int) -> None:
        self._epochs.append((epoch, rows, size))
        self.rows += rows
        self.bytes += size

    def done(self, epoch: int) -> None:
        """All who read it have come so far."""
        while self._epochs and self._epochs[0][0] <= epoch:
            _, rows, size = self._epochs.popleft()
            self.rows -= rows
            self.bytes -= size

    def admit(self, rows: int, size: int) -> None:
        """Negative numbers when they have come."""
        self.admitted = self.admitted[0] + rows, self.admitted[1] + size

    @property
    def has_room(self) -> bool:
        """A statement is never divided, so one may bring more than there is room for."""
        rows, size = self.admitted
        return self.rows + rows < self._max_rows and self.bytes + size < self._max_bytes
