"""A process that kills itself at a chosen operation on the disk, for those who test what it leaves behind.

    CONSTELLATION_FAILPOINT="sync log:17"       when it is about to sync a file of the folder log for the 17th time

Operations: write (half of it is done then), sync, rename, link, remove, and names, which syncs a directory's names.
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

from constellationdb.errors import InvalidParameter
from constellationdb.storage.buffers import Bytes, as_view, size_of
from constellationdb.storage.disk import DISK, Disk

VARIABLE = "CONSTELLATION_FAILPOINT"


class FailpointDisk(Disk):
    """``step``: what is done, and the name of the folder that it is done in. Any thread may call anything."""

    def __init__(self, step: str, count: int) -> None:
        self._step = step
        self._left = count
        self._guard = threading.Lock()

    def _is_due(self, what: str, folder: str) -> bool:
        if f"{what} {folder}" != self._step:
            return False
        with self._guard:
            self._left -= 1
            return self._left == 0

    def _pass(self, what: str, folder: Path) -> None:
        if self._is_due(what, folder.name):
            self._die()

    def _die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def write(self, fd: int, data: Bytes) -> None:
        if self._is_due("write", _folder_of(fd)):
            super().write(fd, as_view(data)[: size_of(data) // 2])
            self._die()
        super().write(fd, data)

    def sync(self, fd: int) -> None:
        if self._is_due("sync", _folder_of(fd)):
            self._die()
        super().sync(fd)

    def sync_directory(self, path: Path) -> None:
        self._pass("names", path)
        super().sync_directory(path)

    def rename(self, path: Path, to: Path) -> None:
        self._pass("rename", to.parent)
        super().rename(path, to)

    def link(self, path: Path, to: Path) -> None:
        self._pass("link", to.parent)
        super().link(path, to)

    def remove(self, path: Path) -> None:
        self._pass("remove", path.parent)
        super().remove(path)


def _folder_of(fd: int) -> str:
    return Path(os.readlink(f"/proc/self/fd/{fd}")).parent.name


def disk_of_environment() -> Disk:
    """The disk that the process is to use: the machine's, unless a failpoint is set."""
    value = os.environ.get(VARIABLE)
    if value is None:
        return DISK
    step, _, count = value.rpartition(":")
    if not step or not count.isdigit():
        raise InvalidParameter(f'invalid value for {VARIABLE}: "{value}"', hint='it looks like "sync log:17"')
    return FailpointDisk(step, int(count))
