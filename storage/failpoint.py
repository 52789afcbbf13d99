"""A process that kills itself at a chosen operation on the disk, or whose disk fails then, for those who test it.

    CONSTELLATION_FAILPOINT="sync log:17"         it dies when it is to sync a file of the folder log for the 17th time
    CONSTELLATION_FAILPOINT="sync log:17 EIO"     … or gets this error then
    CONSTELLATION_FAILPOINT="write log:17 torn"   … after half of what there was to write

Operations: write (who dies has done half of it), sync, rename, link, remove, and names, the sync of a directory.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import threading
from pathlib import Path

from constellationdb.errors import InvalidParameter
from constellationdb.storage.buffers import Bytes, as_view, size_of
from constellationdb.storage.disk import DISK, Disk

VARIABLE = "CONSTELLATION_FAILPOINT"
KILL, TORN = "kill", "torn"
_VALUE = re.compile(r"(\w+ \S+):(\d+)(?: (\w+))?")


class FailpointDisk(Disk):
    """``step``: what is done, and the name of the folder that it is done in; ``outcome``: "kill", "torn", or an error.

    Any thread may call anything. ``met``: it was come to.
    """

    def __init__(self, step: str, count: int, outcome: str = KILL) -> None:
        self._step = step
        self._left = count
        self._outcome = outcome
        self._guard = threading.Lock()
        self.met = False

    def _is_due(self, what: str, folder: str) -> bool:
        if f"{what} {folder}" != self._step:
            return False
        with self._guard:
            self._left -= 1
            self.met |= self._left == 0
            return self._left == 0

    def _pass(self, what: str, folder: str) -> None:
        if self._is_due(what, folder):
            self._fail()

    def _fail(self) -> None:
        if self._outcome == KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        number = getattr(errno, self._outcome, errno.EIO)
        raise OSError(number, os.strerror(number))

    def write(self, fd: int, data: Bytes) -> None:
        if self._is_due("write", _folder_of(fd)):
            if self._outcome in (KILL, TORN):
                super().write(fd, as_view(data)[: size_of(data) // 2])
            self._fail()
        super().write(fd, data)

    def sync(self, fd: int) -> None:
        self._pass("sync", _folder_of(fd))
        super().sync(fd)

    def sync_directory(self, path: Path) -> None:
        self._pass("names", path.name)
        super().sync_directory(path)

    def rename(self, path: Path, to: Path) -> None:
        self._pass("rename", to.parent.name)
        super().rename(path, to)

    def link(self, path: Path, to: Path) -> None:
        self._pass("link", to.parent.name)
        super().link(path, to)

    def remove(self, path: Path) -> None:
        self._pass("remove", path.parent.name)
        super().remove(path)


def _folder_of(fd: int) -> str:
    return Path(os.readlink(f"/proc/self/fd/{fd}")).parent.name


def disk_of_environment() -> Disk:
    """The disk that the process is to use: the machine's, unless a failpoint is set."""
    value = os.environ.get(VARIABLE)
    if value is None:
        return DISK
    found = _VALUE.fullmatch(value)
    outcome = (found and found[3]) or KILL
    if found is None or not (outcome in (KILL, TORN) or outcome in errno.errorcode.values()):
        raise InvalidParameter(
            f'invalid value for {VARIABLE}: "{value}"', hint='it looks like "sync log:17" or "sync log:17 EIO"'
        )
    return FailpointDisk(found[1], int(found[2]), outcome)
