"""The receiver's half of a cut, without I/O: ``step`` takes what happens and says what is to be done, in order.

    idle ── first barrier ──▶ aligning ── last barrier ──▶ snapshot, then what was buffered ──▶ idle
     │                           │ too long, too much
     └── unaligned barrier ──▶ snapshot at once ── what was on its way passes, and is kept, too ──▶ completed, idle

While it aligns, an input whose barrier has come is blocked: everything after it is buffered, watermarks too, for one
that overtook its rows would make them late. Whatever ends an alignment hands all of that on, so nothing is ever lost.
Ids grow: a barrier with a higher one than that under way replaces it, one with a lower or the same comes too late.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace

import pyarrow as pa

from constellationdb.engine.barriers.barrier import Barrier
from constellationdb.engine.barriers.items import (
    Abort,
    Aborted,
    Action,
    Arrived,
    Completed,
    Data,
    End,
    Event,
    Ignored,
    Item,
    Pass,
    Snapshot,
    Watermark,
)
from constellationdb.engine.barriers.limits import Limits
from constellationdb.engine.barriers.metrics import AlignmentMetrics
from constellationdb.engine.operators.base import ENDED, NO_WATERMARK
from constellationdb.errors import InternalError, ProgramLimitExceeded


class _Input:
    """``has_barrier``: that of the cut under way has come. ``watermark``: the last that was handed on."""

    def __init__(self) -> None:
        self.buffer: deque[Data] = deque()
        self.buffered = 0
        self.has_barrier = False
        self.is_ended = False  # nothing may come any more; it may still be in the buffer
        self.watermark = NO_WATERMARK

    @property
    def is_through(self) -> bool:
        return self.has_barrier or self.is_ended


class BarrierAligner:
    """Of ``inputs`` inputs, numbered from 0; ``now`` is in seconds and never goes back."""

    def __init__(self, inputs: int, limits: Limits = Limits()) -> None:  # noqa: B008 - frozen
        if not 1 <= inputs <= limits.inputs:
            raise ProgramLimitExceeded(f"a receiver has 1 to {limits.inputs} inputs, not {inputs}")
        self._inputs = [_Input() for _ in range(inputs)]
        self._limits = limits
        self._barrier: Barrier | None = None  # of the cut under way
        self._is_taken = False  # its snapshot is: only what was in flight is missing
        self._began = 0.0
        self._newest = -1  # the highest id of all that have been begun, or given up
        self._metrics = AlignmentMetrics()

    @property
    def metrics(self) -> AlignmentMetrics:
        return replace(self._metrics, is_aligning=self._is_aligning)

    @property
    def _is_aligning(self) -> bool:
        return self._barrier is not None and not self._is_taken

    def is_blocked(self, number: int) -> bool:
        """Whether what comes of this input would be buffered: whoever can leave it where it is, should."""
        return self._is_aligning and self._inputs[number].has_barrier

    @property
    def due(self) -> float | None:
        """When a ``Tick`` changes something; None: never."""
        if self._barrier is None:
            return None
        seconds = self._limits.timeout_seconds
        if not self._is_taken and self._limits.unaligned_after is not None:
            seconds = min(seconds, self._limits.unaligned_after)
        return None if math.isinf(seconds) else self._began + seconds

    def step(self, event: Event, now: float) -> list[Action]:
        done = self._look_at_clock(now)
        match event:
            case Arrived(number, item):
                done += self._arrived(number, item, now)
            case Abort(id=aborted, reason=reason):
                if self._barrier is not None and self._barrier.id == aborted:
                    done += self._give_up(reason)
                self._newest = max(self._newest, aborted)
        return done

    def _look_at_clock(self, now: float) -> list[Action]:
        if (due := self.due) is None or now < due:
            return []
        waited = now - self._began
        if waited >= self._limits.timeout_seconds:
            return self._give_up(f"not every input came to it within {self._limits.timeout_seconds:g} s")
        return self._take_unaligned(now)

    # -- what an input brings --------------------------------------------------------------------

    def _arrived(self, number: int, item: Item, now: float) -> list[Action]:
        given = self._inputs[number]
        if given.is_ended:
            raise InternalError(f"input {number} went on past its end")
        if isinstance(item, Barrier):
            return self._met(number, item, now)
        if isinstance(item, End):
            given.is_ended = True
        if self.is_blocked(number):
            return self._buffer(given, item, now)
        done = [self._handed_on(number, item, in_flight=self._is_taken and not given.has_barrier)]
        if self._is_taken and self._metrics.in_flight_bytes > self._limits.in_flight_bytes:
            return [*done, *self._give_up(f"more than {self._limits.in_flight_bytes} bytes are in flight")]
        return [*done, *self._finish_if_through(now)] if isinstance(item, End) else done

    def _handed_on(self, number: int, item: Data, *, in_flight: bool = False) -> Action:
        given = self._inputs[number]
        if isinstance(item, Watermark):
            given.watermark = max(given.watermark, item.us)
        elif isinstance(item, End):
            given.watermark = ENDED
        if in_flight:
            self._metrics.in_flight_bytes += _size(item)[1]
        return Pass(number, item, in_flight)

    def _buffer(self, given: _Input, item: Data, now: float) -> list[Action]:
        count, size = _size(item)
        given.buffer.append(item)
        given.buffered += count
        self._metrics.buffered += count
        self._metrics.buffered_bytes += size
        if given.buffered <= self._limits.buffered_per_input and (
            self._metrics.buffered_bytes <= self._limits.buffered_bytes
        ):
            return []
        if self._limits.unaligned_after is not None:
            return self._take_unaligned(now)
        return self._give_up("more has to be buffered than may be")

    # -- cuts --------------------------------------------------------------------------------------

    def _met(self, number: int, barrier: Barrier, now: float) -> list[Action]:
        current = self._barrier
        if current is not None and barrier.id == current.id:
            return self._met_again(number, barrier, current, now)
        if barrier.id <= self._newest:
            return self._ignored(number, barrier, "its checkpoint is over")
        done = [] if current is None else self._give_up(f"checkpoint {barrier.id} began before its end")
        self._barrier, self._newest, self._began, self._is_taken = barrier, barrier.id, now, False
        self._metrics.in_flight_bytes = 0
        self._inputs[number].has_barrier = True
        at_once = self._limits.unaligned_after == 0 and not all(given.is_through for given in self._inputs)
        if barrier.is_unaligned or at_once:
            return [*done, *self._take_unaligned(now, began=True)]
        return [*done, *self._finish_if_through(now)]

    def _met_again(self, number: int, barrier: Barrier, current: Barrier, now: float) -> list[Action]:
        if self._inputs[number].has_barrier:
            return self._ignored(number, barrier, "it came twice")
        if barrier.epoch != current.epoch:
            return self._give_up(f"inputs ended different epochs, {current.epoch} and {barrier.epoch}")
        self._inputs[number].has_barrier = True
        if barrier.is_unaligned and not self._is_taken:
            return self._take_unaligned(now)
        return self._finish_if_through(now)

    def _ignored(self, number: int, barrier: Barrier, reason: str) -> list[Action]:
        self._metrics.ignored += 1
        return [Ignored(number, barrier, reason)]

    def _finish_if_through(self, now: float) -> list[Action]:
        barrier = self._barrier
        if barrier is None or not all(given.is_through for given in self._inputs):
            return []
        self._metrics.longest_seconds = max(self._metrics.longest_seconds, now - self._began)
        if self._is_taken:
            return [Completed(barrier.id, self._metrics.in_flight_bytes), *self._end()]
        self._metrics.aligned += 1
        return [Snapshot(barrier, self._watermark()), *self._end()]

    def _take_unaligned(self, now: float, *, began: bool = False) -> list[Action]:
        """``began``: it never was anything else. What is buffered came after the cut, and is not in flight."""
        assert self._barrier is not None
        self._metrics.unaligned += 1
        self._metrics.switches += not began
        self._is_taken = True
        taken = Snapshot(self._barrier.unaligned(), self._watermark())
        return [taken, *self._release(), *self._finish_if_through(now)]

    def _give_up(self, reason: str) -> list[Action]:
        assert self._barrier is not None
        self._metrics.aborted += 1
        return [Aborted(self._barrier.id, reason), *self._end()]

    def _end(self) -> list[Action]:
        self._barrier, self._is_taken = None, False
        for given in self._inputs:
            given.has_barrier = False
        return self._release()

    def _release(self) -> list[Action]:
        """What was buffered, one of each input in turn, in the order of each."""
        done: list[Action] = []
        while any(given.buffer for given in self._inputs):
            for number, given in enumerate(self._inputs):
                if given.buffer:
                    done.append(self._handed_on(number, given.buffer.popleft()))
        for given in self._inputs:
            given.buffered = 0
        self._metrics.buffered_bytes = 0
        return done

    def _watermark(self) -> int:
        return min(given.watermark for given in self._inputs)


def _size(item: Data) -> tuple[int, int]:
    """Rows, or 1 for what has none; bytes."""
    return (max(item.num_rows, 1), item.nbytes) if isinstance(item, pa.RecordBatch) else (1, 0)
