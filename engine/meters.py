"""What each operator of a graph has done since it was made: rows, time, failures.

Kept by whoever runs the graph, read by anybody at any time: a reader may see the
numbers of an epoch that is still running. What an operator took in is what its
inputs put out, so it is not counted twice. A restart begins anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter_ns

from constellationdb.engine.batch import Delta


@dataclass(slots=True)
class Meter:
    """``rows``: put out. Rows of changes, whatever their weight."""

    rows: int = 0
    late: int = 0
    errors: int = 0
    busy_ns: int = 0

    def count(self, began_ns: int, parts: Sequence[Delta]) -> int:
        """One run that began then and put out ``parts``; the time now, which is when the next one begins."""
        for part in parts:
            if part is not None:
                self.rows += part.num_rows
        now = perf_counter_ns()
        self.busy_ns += now - began_ns
        return now
