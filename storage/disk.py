"""Writes that reach the medium.

Everything durable in this folder that is not RocksDB goes through a `Disk`, so a test can hand in one that fails,
tears or forgets, and nothing else has to know.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from constellationdb.storage.buffers import Bytes

ASIDE = ".tmp"
"""The suffix of a file that is not finished."""


class Disk:
    """The operating system's files. Every method raises OSError and leaves judging it to the caller."""

    def write(self, fd: int, data: Bytes) -> None:
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

    def create(self, path: Path, *pieces: Bytes) -> None:
        """A file that is either absent or whole: written aside, synced, renamed, and the name synced too."""
        aside = path.with_name(path.name + ASIDE)
        self._write_aside(aside, pieces)
        self.rename(aside, path)
        self.sync_directory(path.parent)

    def create_only(self, path: Path, *pieces: Bytes) -> bool:
        """The same, but False when there is such a file already: of all who try at once, one succeeds."""
        aside = path.with_name(f"{path.name}-{os.urandom(4).hex()}{ASIDE}")
        try:
            self._write_aside(aside, pieces)
            try:
                self.link(aside, path)
            except FileExistsError:
                return False
        finally:
            aside.unlink(missing_ok=True)
        self.sync_directory(path.parent)
        return True

    def _write_aside(self, aside: Path, pieces: tuple[Bytes, ...]) -> None:
        fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            for piece in pieces:
                self.write(fd, piece)
            self.sync(fd)
        finally:
            os.close(fd)

    def rename(self, path: Path, to: Path) -> None:
        """Gives a file another name, in place of what has it; durable after ``sync_directory``."""
        os.rename(path, to)

    def link(self, path: Path, to: Path) -> None:
        """Gives a file a second name, FileExistsError if there is such a one; durable after ``sync_directory``."""
        os.link(path, to)

    def remove(self, path: Path) -> None:
        """Removes a file; durable after ``sync_directory``."""
        path.unlink()

    def truncate(self, fd: int, size: int) -> None:
        """Cuts a file; durable after ``sync``."""
        os.ftruncate(fd, size)


DISK = Disk()
