"""One process per directory."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Self

from constellationdb.errors import DirectoryInUse

FILE_NAME = "owner.lock"


class DirectoryLock:
    """An exclusive flock on a file in ``directory`` that holds our pid.

    The kernel drops it with the process however that ends, so a left-over file means nothing. It also excludes a
    second opening by the same process. A child made by fork shares the lock; an exec'ed one does not.
    """

    def __init__(self, directory: Path) -> None:
        self._fd = os.open(directory / FILE_NAME, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip()
            os.close(self._fd)
            raise DirectoryInUse(
                f'directory "{directory}" is in use by process {owner or "unknown"}',
                hint="stop that process, or give this one another directory",
            ) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Gives the directory up; harmless when done twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()
