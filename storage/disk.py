"""Writes that reach the medium.

Everything durable in this folder that is not RocksDB goes through a `Disk`, so a test can hand in one that fails,
tears or forgets, and nothing else has to know.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


class Disk:
    """The operating system's files. Every method raises OSError and leaves judging it to the caller."""

    def write(self, fd: int, data: bytes) -> None:
        """Writes all of ``data`` at the descriptor's position; not yet durable."""
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]

    def sync(self, fd: int) -> None:
        """Returns when everything written to ``fd`` survives a power cut."""
        if sys.platform == "darwin":
            import fcntl

            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)  # fsync there only reaches the drive's own cache
        else:
            os.fdatasync(fd)

    def sync_directory(self, path: Path) -> None:
        """Makes creations, renames and removals inside ``path`` durable."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def create(self, path: Path, content: bytes) -> None:
        """A file that is either absent or whole: written aside, synced, renamed, and the name synced too."""
        aside = path.with_name(path.name + ".tmp")
        fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            self.write(fd, content)
            self.sync(fd)
        finally:
            os.close(fd)
        os.rename(aside, path)
        self.sync_directory(path.parent)

    def remove(self, path: Path) -> None:
        """Removes a file; durable after ``sync_directory``."""
        path.unlink()

    def truncate(self, fd: int, size: int) -> None:
        """Cuts a file; durable after ``sync``."""
        os.ftruncate(fd, size)


DISK = Disk()
