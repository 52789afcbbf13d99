"""What a side sleeps on: an eventfd, or a pipe where there is none."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Self

_TOKEN = (1).to_bytes(8, "little")


class Wakeup:
    """A token that one side puts down and the other takes up; many are one. Nothing here blocks."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self.fds = (read_fd, write_fd)

    @classmethod
    def create(cls) -> Self:
        if hasattr(os, "eventfd"):
            fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            return cls(fd, fd)
        fds = os.pipe()
        for fd in fds:
            os.set_blocking(fd, False)
        return cls(*fds)

    def wake(self) -> None:
        # Full: a token lies there already. Broken: nobody sleeps any more.
        with suppress(BlockingIOError, BrokenPipeError):
            if self.fds:
                os.write(self.fds[1], _TOKEN)

    def clear(self) -> None:
        with suppress(BlockingIOError):
            os.read(self.fds[0], 4096)

    def close(self) -> None:
        for fd in set(self.fds):
            os.close(fd)
        self.fds = ()  # type: ignore[assignment]  # a number that is another file's next must not be written to
