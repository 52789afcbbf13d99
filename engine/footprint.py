"""How much an operator keeps: rows, and the bytes of the arrays they are in, with the room left in these.

What an operator consists of is looked through, so no operator has to keep count
of its memory: every batch of rows in it counts, less those that a part says are
``unused``. Rows that are borrowed are their relation's. Another thread may be
changing all of it: then the answer is about right.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from constellationdb.engine.arrangement import Version
from constellationdb.engine.fragment import Fragment
from constellationdb.engine.operators.arranged import Borrowed
from constellationdb.storage.scratch.arrays import mapped_bytes
from constellationdb.storage.scratch.space import current

_OWN = "constellationdb.engine"
_ARRAYS = (np.ndarray, pa.RecordBatch, pa.Array)
_OTHERS = (Borrowed, Fragment, Version)  # another's rows, none, and what is there already


class Footprint(NamedTuple):
    """``on_disk``: of the bytes, those in files of the scratch space; ``in_memory``: the others, and pages in use."""

    rows: int = 0
    bytes: int = 0
    in_memory: int = 0
    on_disk: int = 0


def footprint(*parts: object) -> Footprint:
    """Of some operators together; what they share is counted once."""
    rows = size = in_memory = on_disk = 0
    space = current()
    mappings = [] if space is None else space.mappings()
    seen: set[int] = set()
    stack = list(parts)
    while stack:
        part = stack.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        rows += _rows_in(part)
        if isinstance(part, _ARRAYS):
            own, (mapped, present) = int(part.nbytes), mapped_bytes(mappings, part)
            size, on_disk, in_memory = size + own, on_disk + mapped, in_memory + own - mapped + present
        stack += _inside(part)
    return Footprint(rows, size, in_memory, on_disk)


def _rows_in(part: Any) -> int:
    if isinstance(part, pa.RecordBatch):
        return int(part.num_rows)
    return -int(getattr(part, "unused", 0))


def _inside(part: Any) -> Iterator[object]:
    if isinstance(part, list | tuple | set):
        yield from list(part)
    elif isinstance(part, dict):
        yield from list(part.values())
    elif type(part).__module__.startswith(_OWN) and not isinstance(part, _OTHERS):
        yield from list(getattr(part, "__dict__", {}).values())
        slots = (name for kind in type(part).__mro__ for name in getattr(kind, "__slots__", ()))
        yield from (value for name in slots if (value := getattr(part, name, None)) is not None)
