"""What an aligner has done so far."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class AlignmentMetrics:
    """``aligned`` and ``unaligned`` cuts; ``switches``: of the latter, those that had begun as the former."""

    aligned: int = 0
    unaligned: int = 0
    switches: int = 0
    aborted: int = 0
    ignored: int = 0
    buffered: int = 0  # rows, and messages without
    buffered_bytes: int = 0  # now
    in_flight_bytes: int = 0
    longest_seconds: float = 0.0
    is_aligning: bool = False
