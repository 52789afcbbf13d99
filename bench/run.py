"""What a child process is told, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Side = Literal["constellation", "duckdb"]
INPUTS = ("memory", "parquet", "jsonl")


@dataclass(frozen=True)
class Run:
    """One query on one of the two engines; ``core`` -1: wherever the system puts it."""

    side: Side
    query: str
    events: int
    input: str
    folder: Path
    core: int
    repeats: int


@dataclass(frozen=True)
class Outcome:
    """The best of the repeats, the memory at its height then, and the untimed run's checksum."""

    seconds: float
    peak_rss_mb: float
    rows: int
    checksum: int
