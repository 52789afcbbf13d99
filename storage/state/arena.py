"""Arenas: bytes that can become more, in memory or in a mapped file."""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Protocol

import numpy as np

from constellationdb.errors import StorageFailure
from constellationdb.storage.kernels.memory import U8

START = 64  # where the log of versions begins in its arena; what is before is the file's header
_LEAST = 1 << 20


class Arena(Protocol):
    """Bytes that can become more."""

    data: U8

    def reserve(self, size: int) -> None:
        """Makes ``data`` at least so long; what it held stays."""
        ...


class MemoryArena:
    """Bytes in memory, twice as many when they do not suffice."""

    def __init__(self) -> None:
        self.data: U8 = np.empty(4096, np.uint8)

    def reserve(self, size: int) -> None:
        if size > len(self.data):
            larger = np.empty(max(size, 2 * len(self.data)), np.uint8)
            larger[: len(self.data)] = self.data
            self.data = larger


class FileArena:
    """The bytes of a file; half as many more when they do not suffice."""

    def __init__(self, path: Path, create: bool) -> None:
        flags = os.O_RDWR | (os.O_CREAT | os.O_EXCL if create else 0)
        self.fd = os.open(path, flags, 0o644)
        self.path = path
        self.data: U8 = np.zeros(0, np.uint8)
        try:
            self._map(max(_LEAST, os.fstat(self.fd).st_size))
        except BaseException:
            os.close(self.fd)
            raise

    def reserve(self, size: int) -> None:
        if size > len(self.data):
            try:
                self._map(max(size, len(self.data) * 3 // 2))
            except OSError as error:
                raise StorageFailure(f'could not enlarge "{self.path}": {error.strerror}') from error

    def _map(self, size: int) -> None:
        size += -size % mmap.PAGESIZE
        _allocate(self.fd, size)
        self.mapping = mmap.mmap(self.fd, size)  # views into a former one keep that
        self.data = np.frombuffer(self.mapping, np.uint8)

    def close(self) -> None:
        """Gives up the file; who still reads the mapping keeps it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _allocate(fd: int, size: int) -> None:
    """Space on the disk for ``size`` bytes: a page that had none would end the process when it is written."""
    old = os.fstat(fd).st_size
    if hasattr(os, "posix_fallocate"):
        if size > old:
            os.posix_fallocate(fd, old, size - old)
        return
    for at in range(old, size, _LEAST):
        os.pwrite(fd, bytes(min(_LEAST, size - at)), at)
