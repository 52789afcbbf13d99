"""Going back to an earlier checkpoint, while nobody has the database open.

What came after it is set aside: the later checkpoints in their store, the log in the directory. The log that is left
gets one more record, of an epoch above all that ever were, so that no number means two things: who followed the
database until then is told that its place is gone, instead of being led on from a history that was undone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from constellationdb.clock import SystemClock
from constellationdb.engine.record import EpochRecord, encode_record
from constellationdb.errors import CorruptState
from constellationdb.storage.checkpoints.opening import open_checkpoints
from constellationdb.storage.directory import DataDirectory
from constellationdb.storage.epochlog import FileEpochLog
from constellationdb.storage.rewinding import highest_epoch, rewind


@dataclass(frozen=True)
class WentBack:
    epoch: int
    goes_on_at: int  # the next epochs are above it
    checkpoints: tuple[int, ...]  # those that were set aside
    log: Path | None  # where what was cut off the log is


def go_back(root: Path, epoch: int) -> WentBack:
    """Makes the checkpoint of this epoch the newest. CorruptState, and nothing is changed, when it is not whole."""
    clock = SystemClock()
    with DataDirectory(root) as directory:
        store = open_checkpoints(directory)
        try:
            before = store.epochs()
            store.go_to(epoch)
            if damages := store.damages():
                raise CorruptState(f"the checkpoint of epoch {epoch} is damaged", detail="\n".join(damages))
            last = max(highest_epoch(directory.log), *before)
            store.go_back_to(epoch)
            left = store.epochs()
        finally:
            store.close()
        moment = datetime.fromtimestamp(clock.now_us() / 1e6, UTC).strftime("%Y-%m-%dT%H-%M-%S")
        aside = root / "set-aside" / f"log-{moment}"
        rewind(directory.log, epoch, aside)
        log = FileEpochLog(directory.log, begins=epoch + 1)
        log.append(last + 1, encode_record(EpochRecord(last + 1, clock.now_us(), gone_back=True)))
        log.close()
    gone = tuple(later for later in before if later not in left)
    return WentBack(epoch, last + 1, gone, aside if aside.exists() else None)
