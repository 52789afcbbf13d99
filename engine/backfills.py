"""How far the first answer of a new view is, and how fast it may go on."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa
from msgspec.structs import replace

from constellationdb.catalog.model import Create
from constellationdb.engine.settings import Settings
from constellationdb.engine.sources import SourceEnd

RATE = "backfill_rate_limit"


@dataclass
class BackfillProgress:
    """``rate``: rows a second, 0 for no limit; ``due``: on the monotonic clock, when the next chunk may come.

    ``total`` is what there was to read when it began; None while it has not, and for what is read from outside.
    ``fed`` are the inputs that are read, ``read`` so many rows of the next one. ``ends``: up to where sources are.
    ``background``: recovery does not wait for it.
    """

    started_us: int
    rate: int = 0
    ends: dict[str, SourceEnd] = field(default_factory=dict)
    begun: bool = False
    fed: list[str] = field(default_factory=list)
    read: int = 0
    background: bool = False
    done: int = 0
    total: int | None = None
    finished: bool = False
    due: float = 0.0
    _untold: int = 0  # rows since the last pause

    def took(self, rows: pa.RecordBatch) -> None:
        self.done += rows.num_rows
        self.read += rows.num_rows
        self._untold += rows.num_rows

    def pause(self, now: float) -> None:
        """After a chunk: the next one may come when the rows so far have had their time."""
        if self.rate:
            self.due = now + self._untold / self.rate
            self._untold = 0


def chunk_rows(usual: int, rate: int) -> int:
    """A chunk is never more than a second's rows."""
    return min(usual, rate) if rate else usual


def with_rate(command: Create, settings: Settings) -> Create:
    """The materialized views of a definition, to be computed as slowly as the session says."""
    rate = settings.get(RATE)
    if rate == "0":
        return command
    return Create(
        tuple(
            replace(made, options={**made.options, RATE: rate}) if made.kind == "materialized view" else made
            for made in command.relations
        )
    )
