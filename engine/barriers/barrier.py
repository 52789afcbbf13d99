"""The barrier: it cuts a stream in two, and is the same 24 bytes everywhere."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from constellationdb.errors import CorruptState

UNALIGNED = 1
_LAYOUT = struct.Struct("<QQQ")
SIZE = _LAYOUT.size


@dataclass(frozen=True, slots=True)
class Barrier:
    """``id`` of the checkpoint: later ones have higher ids. ``epoch``: the last one before the cut."""

    id: int
    epoch: int
    flags: int = 0

    @property
    def is_unaligned(self) -> bool:
        """Whether receivers are to take their state at once, and what is under way to them with it."""
        return bool(self.flags & UNALIGNED)

    def unaligned(self) -> Barrier:
        return Barrier(self.id, self.epoch, self.flags | UNALIGNED)

    def encode(self) -> bytes:
        return _LAYOUT.pack(self.id, self.epoch, self.flags)

    @classmethod
    def decode(cls, data: bytes) -> Barrier:
        """CorruptState when it is not 24 bytes, or has a flag that nobody knows."""
        if len(data) != SIZE:
            raise CorruptState(f"a barrier has {SIZE} bytes, not {len(data)}")
        barrier = cls(*_LAYOUT.unpack(data))
        if barrier.flags & ~UNALIGNED:
            raise CorruptState(f"a barrier has reserved flags: {barrier.flags:#x}")
        return barrier
