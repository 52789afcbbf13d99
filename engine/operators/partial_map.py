"""The cross-partition map: how far each worker's part of an aggregate is, and the value that they are merged to.

A worker says so at the end of each epoch, whether it had rows or not; what it said last counts. An answer whose parts
are not all of one epoch is told of as incomplete, and how old the oldest is beside the newest; it is no error.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from constellationdb.engine.operators.base import NO_WATERMARK
from constellationdb.planner import plan


@dataclass(frozen=True)
class Part:
    """One worker's: the epoch that it was last part of, its clock, and the watermark at its end."""

    epoch: int
    at_us: int
    watermark: int


@dataclass(frozen=True)
class Merged:
    """``answer``: the one row of an aggregate without keys; None: not known yet, or one of many."""

    node: plan.Aggregate
    parts: tuple[Part | None, ...]
    answer: pa.RecordBatch | None

    @property
    def epoch(self) -> int | None:
        """The newest that any worker was part of."""
        return max((part.epoch for part in self.parts if part is not None), default=None)

    @property
    def reporting(self) -> int:
        return sum(part is not None and part.epoch == self.epoch for part in self.parts)

    @property
    def is_complete(self) -> bool:
        return self.reporting == len(self.parts)

    @property
    def staleness_us(self) -> int | None:
        times = [part.at_us for part in self.parts if part is not None]
        return max(times) - min(times) if times else None

    @property
    def watermark(self) -> int:
        """What all parts have seen."""
        return min((NO_WATERMARK if part is None else part.watermark for part in self.parts), default=NO_WATERMARK)

    def value(self, place: int) -> str | None:
        """A measure as text."""
        if self.answer is None:
            return None
        shown: str | None = self.answer.column(place).cast(pa.string())[0].as_py()
        return shown
