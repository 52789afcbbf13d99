"""Bytes, as whatever they lie in."""

from __future__ import annotations

from typing import TypeAlias

import pyarrow as pa

Bytes: TypeAlias = bytes | bytearray | memoryview | pa.Buffer
"""What content may be given as. It is passed on as it is: nothing is joined, nothing is copied."""


def size_of(piece: Bytes) -> int:
    """Its bytes, whatever the items of a view are."""
    return piece.size if isinstance(piece, pa.Buffer) else memoryview(piece).nbytes


def as_view(piece: Bytes) -> memoryview:
    """The same bytes, for libraries that know no Arrow buffer."""
    return memoryview(piece).cast("B")
