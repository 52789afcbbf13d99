"""The watermark of a source: the least, over its non-idle partitions, of (latest time - delay). It never goes back.

A partition that brought nothing for the idle timeout does not hold the others
back; when all are idle the watermark stands, or, if it was told to, goes on with
the clock once nothing has come for so long. An ended source has the last word:
its watermark is +infinity, so that its windows close.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from constellationdb.engine.operators.base import ENDED, NO_WATERMARK

# How often the clock moves a watermark, at most: each time is an epoch.
_TICK_US = 1_000_000


class WatermarkTracker:
    """Fed with batches per partition; ``value`` is read once at the end of each epoch.

    ``idle_us``: after how long a partition does not hold back the others. ``advance_us``: after how long without any
    row the watermark goes on as the clock does.
    """

    def __init__(
        self, column: str | None, delay_us: int, idle_us: int | None = None, advance_us: int | None = None
    ) -> None:
        self._column = column
        self._delay_us = delay_us
        self._idle_us = idle_us
        self._advance_us = advance_us
        self._restored = NO_WATERMARK
        self._quiet_since: int | None = None  # when the last rows came, or it was looked at first
        self._settled_us = 0
        self._latest: dict[str, int] = {}
        self._seen_us: dict[str, int] = {}
        self._ended: set[str] = set()
        self.value = NO_WATERMARK

    def begin(self, partition: str, now_us: int) -> None:
        """A partition is being read: until it brings a time, or is idle, there is no watermark."""
        self._latest.setdefault(partition, NO_WATERMARK)
        self._seen_us.setdefault(partition, now_us)

    def observe(self, partition: str, batch: pa.RecordBatch, now_us: int) -> None:
        self._seen_us[partition] = self._quiet_since = now_us
        if self._column is None:
            return
        latest = pc.max(batch.column(self._column)).cast(pa.int64()).as_py()
        if latest is not None:
            self._latest[partition] = max(self._latest.get(partition, NO_WATERMARK), latest)

    def end(self, partition: str) -> None:
        self._ended.add(partition)

    def advance(self, now_us: int) -> int:
        """The watermark at the end of this epoch."""
        self._settled_us = now_us
        if self._ended and self._ended >= set(self._latest):
            self.value = ENDED
        elif self._column is not None:
            times = [t for p, t in self._latest.items() if p not in self._ended and not self._is_idle(p, now_us)]
            if times and min(times) != NO_WATERMARK:
                self.value = max(self.value, min(times) - self._delay_us)
            self.value = max(self.value, self._by_the_clock(now_us))
        return self.value

    def _by_the_clock(self, now_us: int) -> int:
        """As if a row had come whose time is as much later than the last one's as it is quiet for too long."""
        if self._advance_us is None:
            return NO_WATERMARK
        if self._quiet_since is None:
            self._quiet_since = now_us
        latest = max(self._latest.values(), default=NO_WATERMARK)
        reached = self._restored if latest == NO_WATERMARK else max(self._restored, latest - self._delay_us)
        quiet = now_us - self._quiet_since - self._advance_us
        return reached + quiet if reached != NO_WATERMARK and quiet > 0 else NO_WATERMARK

    def _is_idle(self, partition: str, now_us: int) -> bool:
        return self._idle_us is not None and now_us - self._seen_us[partition] > self._idle_us

    def due_us(self) -> int | None:
        """When time alone next moves the watermark: a partition turns idle, or the clock goes on. None: never."""
        if self._column is None or self.value == ENDED:
            return None
        return min([*self._next_idle(), *self._next_tick()], default=None)

    def _next_idle(self) -> list[int]:
        """When partitions that are not idle yet may turn so."""
        if self._idle_us is None:
            return []
        turns = [seen + self._idle_us + 1 for p, seen in self._seen_us.items() if p not in self._ended]
        return [turn for turn in turns if turn > self._settled_us]

    def _next_tick(self) -> list[int]:
        if self._advance_us is None or self._quiet_since is None or self.value == NO_WATERMARK:
            return []
        return [max(self._quiet_since + self._advance_us, self._settled_us) + _TICK_US]

    def restore(self, value: int) -> None:
        """Continue from a checkpoint: the least that later batches may bring."""
        self.value = self._restored = max(self.value, value)
