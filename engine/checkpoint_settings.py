"""How checkpoints are kept: where, how many, and how often one is taken.

Adaptive: a checkpoint that took s seconds is followed by a pause of 19 s, so that taking them is one part in twenty
of the time, whatever the state has grown to; never less than a second, so that little state is safe soon, and never
more than five minutes, so that a restart does not have longer to replay.
"""

from __future__ import annotations

from dataclasses import dataclass

from constellationdb.errors import InvalidParameter
from constellationdb.storage.checkpoints.retention import RETAINED

SHARE = 0.05
SHORTEST_SECONDS, LONGEST_SECONDS = 1.0, 300.0
_LEAST_SECONDS = 0.1


@dataclass(frozen=True)
class CheckpointSettings:
    """``store``: the address of an object store; None: where they are, which for a new directory is the directory.

    ``interval_seconds``: None is adaptive. ``kept``: the newest, beside those with a name.
    """

    store: str | None = None
    interval_seconds: float | None = 10.0
    kept: int = RETAINED

    def __post_init__(self) -> None:
        if self.interval_seconds is not None and not self.interval_seconds >= _LEAST_SECONDS:
            raise InvalidParameter(
                f"the checkpoint interval must be at least {_LEAST_SECONDS} s, not {self.interval_seconds:g} s"
            )
        if self.kept < 1:
            raise InvalidParameter(f"at least 1 checkpoint must be kept, not {self.kept}")

    def pause_seconds(self, last_seconds: float) -> float:
        """Until the next checkpoint, when taking the last one took so long."""
        if self.interval_seconds is not None:
            return self.interval_seconds
        return min(max(last_seconds * (1 - SHARE) / SHARE, SHORTEST_SECONDS), LONGEST_SECONDS)
