"""The watermark of a source: the least, over its non-idle partitions, of (latest time - delay). It never goes back.

A partition that brought nothing for the idle timeout does not hold the others
back; when all are idle the watermark stands. An ended source has the last word:
its watermark is +infinity, so that its windows close.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from constellationdb.engine.operators.base import ENDED, NO_WATERMARK


class WatermarkTracker:
    """Fed with batches per partition; ``value`` is read once at the end of each epoch."""

    def __init__(self, column: str | None, delay_us: int, idle_us: int | None) -> None:
        self._column = column
        self._delay_us = delay_us
        self._idle_us = idle_us
        self._latest: dict[str, int] = {}
        self._seen_us: dict[str, int] = {}
        self._ended: set[str] = set()
        self.value = NO_WATERMARK

    def begin(self, partition: str, now_us: int) -> None:
        """A partition is being read: until it brings a time, or is idle, there is no watermark."""
        self._latest.setdefault(partition, NO_WATERMARK)
        self._seen_us.setdefault(partition, now_us)

    def observe(self, partition: str, batch: pa.RecordBatch, now_us: int) -> None:
        self._seen_us[partition] = now_us
        if self._column is None:
            return
        latest = pc.max(batch.column(self._column)).cast(pa.int64()).as_py()
        if latest is not None:
            self._latest[partition] = max(self._latest.get(partition, NO_WATERMARK), latest)

    def end(self, partition: str) -> None:
        self._ended.add(partition)

    def advance(self, now_us: int) -> int:
        """The watermark at the end of this epoch."""
        if self._ended and self._ended >= set(self._latest):
            self.value = ENDED
        elif self._column is not None:
            times = [t for p, t in self._latest.items() if p not in self._ended and not self._is_idle(p, now_us)]
            if times and min(times) != NO_WATERMARK:
                self.value = max(self.value, min(times) - self._delay_us)
        return self.value

    def _is_idle(self, partition: str, now_us: int) -> bool:
        return self._idle_us is not None and now_us - self._seen_us[partition] > self._idle_us

    def next_idle_us(self) -> int | None:
        """When the next partition may turn idle; None when none can."""
        if self._idle_us is None or self._column is None:
            return None
        waiting = [s for p, s in self._seen_us.items() if p not in self._ended]
        return min(waiting) + self._idle_us + 1 if waiting else None

    def restore(self, value: int) -> None:
        """Continue from a checkpoint: the least that later batches may bring."""
        self.value = max(self.value, value)
