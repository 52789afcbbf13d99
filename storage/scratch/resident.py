"""What of the process is in memory, as Linux tells it."""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np

from constellationdb.storage.scratch.mapping import PAGE, whole_pages

_PRESENT = np.uint64(1 << 63)


class Resident(NamedTuple):
    """Bytes: ``own`` memory, that of malloc; ``mapped``: pages of files."""

    own: int
    mapped: int


def resident() -> Resident:
    with open("/proc/self/statm", "rb", buffering=0) as told:
        _, everything, mapped, *_ = map(int, told.read(256).split())
    return Resident((everything - mapped) * PAGE, mapped * PAGE)


def resident_in(address: int, size: int) -> int:
    """How many bytes of a stretch of memory are there, in whole pages."""
    first = address // PAGE
    pages = whole_pages(address % PAGE + size) // PAGE
    with open("/proc/self/pagemap", "rb", buffering=0) as told:
        entries = np.frombuffer(os.pread(told.fileno(), 8 * pages, 8 * first), np.uint64)
    return int(np.count_nonzero(entries & _PRESENT)) * PAGE
