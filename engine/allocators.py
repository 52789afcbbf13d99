"""Where memory comes from, and that it is not given back between two epochs.

An epoch's batches and temporary arrays are some megabytes, allocated and freed
all the time. An allocator that returns each to the system pays for every page
again: that took two thirds of the time of a lookup join, and of a projection.
So freed memory stays with the process while it is likely to be wanted again.

    Arrow, numpy   malloc: one arena, trimmed only when much lies free at its end
    DataFusion     its own mimalloc, told by ``constellationdb/__init__.py`` to wait a second

What the environment says about either goes before what is said here.
"""

from __future__ import annotations

import ctypes
import os
import sys

import pyarrow as pa

# From malloc.h; each has an environment variable of its own.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_VARIABLES = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_ARENA_MAX", "GLIBC_TUNABLES")
_KEPT_BYTES = 512 << 20
_LARGEST_FROM_HEAP = 32 << 20  # glibc accepts no more


def choose_allocators(budget: int | None = None) -> None:
    """Once, before the first epoch. With a ``budget`` of memory less is kept."""
    if "ARROW_DEFAULT_MEMORY_POOL" not in os.environ:
        pa.set_memory_pool(pa.system_memory_pool())
    if sys.platform == "linux" and not any(name in os.environ for name in _VARIABLES):
        _keep_freed_memory(_KEPT_BYTES if budget is None else min(_KEPT_BYTES, budget // 8))


def _keep_freed_memory(kept: int) -> None:
    """Tell glibc; any other C library may not know the call, and then does as it always did."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    # A thread's own arena gives each emptied 64 MB back, whatever the threshold: so all threads share the first.
    for option, value in ((_ARENA_MAX, 1), (_MMAP_THRESHOLD, min(_LARGEST_FROM_HEAP, kept)), (_TRIM_THRESHOLD, kept)):
        mallopt(option, value)
