"""The operator seam, and what an operator may know of the epoch it works in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

from constellationdb.engine.batch import Delta

NO_WATERMARK = -(1 << 63)
TICK_US = 100_000  # now() of a continuous query goes on in steps of this
_FAR = 1 << 62  # far from where arithmetic of times overflows
ENDED = (1 << 63) - 1  # the watermark of an input that will bring nothing more


@dataclass(frozen=True)
class FailedRow:
    """A row an operator could not compute; the weight it came with."""

    node: int
    sqlstate: str
    message: str
    row: str
    weight: int


@dataclass(frozen=True)
class LookupRequest:
    """Keys a lookup join waits for: distinct rows without NULLs, under the table's column names."""

    node: int
    table: str
    keys: pa.RecordBatch


@dataclass(frozen=True)
class LookupAnswer:
    """What the source said: ``rows`` holds the key columns and the join's columns of the keys it knows."""

    keys: pa.RecordBatch
    rows: pa.RecordBatch


@dataclass
class Context:
    """One epoch at one operator. Watermarks are µs, of the operator's own input (the least of several).

    ``watermark_before`` is the one frozen at the end of the previous epoch: lateness is judged against it.
    """

    epoch: int
    watermark_before: int = NO_WATERMARK
    watermark: int = NO_WATERMARK
    errors: list[FailedRow] = field(default_factory=list)
    late: list[pa.RecordBatch] = field(default_factory=list)
    used: int = 0  # rows assigned to a window, or joined by their time, and not late
    dropped: int = 0  # late rows that no window missed, so they are only counted
    at_us: int = 0  # the epoch's own clock, logged with it
    now_us: int = NO_WATERMARK  # the last tick of the clock, where the query reads it
    answers: Sequence[LookupAnswer] = ()  # to this operator
    requests: list[LookupRequest] = field(default_factory=list)

    def late_until(self, lateness_us: int) -> int:
        """Up to which end windows had closed at the end of the previous epoch."""
        return min(max(self.watermark_before - lateness_us, -_FAR), _FAR)

    def closed_until(self, lateness_us: int) -> int:
        """Up to which end windows close now."""
        return min(max(self.watermark - lateness_us, -_FAR), ENDED)

    def emptied(self) -> Context:
        """The same epoch, with nothing said of it yet."""
        return Context(
            self.epoch,
            self.watermark_before,
            self.watermark,
            at_us=self.at_us,
            now_us=self.now_us,
            answers=self.answers,
        )


class Operator(Protocol):
    def process(self, inputs: Sequence[Delta], context: Context) -> Delta:
        """The change of the output. Called every epoch that brings input or moves the watermark."""
        ...

    def start(self, context: Context) -> Delta:
        """What the output is before any input: the one row of a global aggregate, a constant's rows."""
        ...

    def hold(self) -> int | None:
        """A watermark that the output must not pass yet, because older rows are still to come; None: none."""
        ...

    def snapshot(self) -> dict[str, pa.RecordBatch]:
        """The whole state as named batches; empty when there is none."""
        ...

    def restore(self, state: Mapping[str, pa.RecordBatch], epoch: int) -> None: ...


class Unheld:
    """For operators whose output keeps up with their input."""

    def hold(self) -> int | None:
        return None


class Stateless(Unheld):
    """The half of the seam that operators without state share."""

    def start(self, context: Context) -> Delta:  # noqa: ARG002
        return None

    def snapshot(self) -> dict[str, pa.RecordBatch]:
        return {}

    def restore(self, state: Mapping[str, pa.RecordBatch], epoch: int) -> None:  # noqa: ARG002
        return None
