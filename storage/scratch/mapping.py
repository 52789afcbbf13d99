"""Files without a name, and stretches of them in memory.

The system's own calls, for Python's ``mmap`` keeps a descriptor for each mapping: here a file that does not grow has
none. A mapping lives as long as an array or buffer that lies in it.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

PAGE = mmap.PAGESIZE
_LIBC = ctypes.CDLL(None, use_errno=True)
_FAILED = ctypes.c_void_p(-1).value
_LIBC.mmap.restype = ctypes.c_void_p
_LIBC.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_LIBC.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_LIBC.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def whole_pages(size: int) -> int:
    return -(-size // PAGE) * PAGE


class ScratchFile:
    """Gone with the last mapping of it. ``closed`` is called then."""

    def __init__(self, directory: Path, closed: Callable[[ScratchFile], object]) -> None:
        self.size = 0
        self._closed = closed
        self._file: Any = None
        self._file = tempfile.TemporaryFile(dir=directory, buffering=0)  # noqa: SIM115

    def extend(self, size: int) -> None:
        """To so many bytes, zeros behind those there are. The disk has room for them from now on, or OSError."""
        os.posix_fallocate(self._file.fileno(), self.size, size - self.size)
        self.size = size

    def map(self) -> int:
        """The address at which all of it is mapped."""
        access = mmap.PROT_READ | mmap.PROT_WRITE
        address = _LIBC.mmap(None, self.size, access, mmap.MAP_SHARED, self._file.fileno(), 0)
        if address == _FAILED:
            raise OSError(ctypes.get_errno(), "mmap")
        return int(address)

    def finish(self) -> None:
        """It will not grow any more."""
        self._file.close()

    def __del__(self) -> None:
        self._closed(self)
        if self._file is not None:
            self._file.close()


class Mapping:
    """All of a file, as it was when this was made: ``numpy.asarray`` gives its bytes."""

    def __init__(self, file: ScratchFile) -> None:
        self.address = 0
        self.file, self.size = file, file.size
        self.address = file.map()
        self.let_go_until = 0  # how far ``let_go`` has come
        self.__array_interface__ = {
            "data": (self.address, False), "shape": (self.size,), "typestr": "|u1", "version": 3,
        }  # fmt: skip

    def let_go(self, start: int, size: int) -> None:
        """Give the memory of some pages back; what they hold is in the file, and comes back when it is touched."""
        _LIBC.madvise(self.address + start, min(size, self.size - start), mmap.MADV_DONTNEED)

    def __del__(self) -> None:
        if self.address:
            _LIBC.munmap(self.address, self.size)
