"""When an event happened: in order by its number, moved back by disorder, a few moved back beyond it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from constellationdb.connectors.generator.mixing import Ints, below, bits, mix

_STREAM_DELAY, _STREAM_LATE = 101, 102


@dataclass(frozen=True)
class EventTimes:
    """Times in µs. A row that is not late is at most ``disorder_us`` behind any row before it."""

    seed: int
    start_us: int
    events_per_s: int
    disorder_us: int = 0
    late: float = 0.0
    late_by_us: int = 0

    def of(self, events: Ints) -> Ints:
        """The event time of each event number."""
        times: Ints = self.in_order(events)
        if self.disorder_us:
            times -= below(mix(events, self.seed, _STREAM_DELAY), 32, self.disorder_us + 1)
        if self.late:
            words = mix(events, self.seed, _STREAM_LATE)
            late = bits(words, 0, 32) < round(self.late * 2**32)
            # a late row has no delay of its own: it is put just beyond the bound, and then further
            beyond = self.in_order(events) - self.disorder_us - 1 - below(words, 32, self.late_by_us)
            times = np.where(late, beyond, times)
        return times

    def in_order(self, events: Ints) -> Ints:
        """The time without disorder; seconds and parts apart, so that nothing overflows."""
        seconds, rest = np.divmod(events, self.events_per_s)
        times: Ints = seconds * 1_000_000 + rest * 1_000_000 // self.events_per_s + self.start_us
        return times
