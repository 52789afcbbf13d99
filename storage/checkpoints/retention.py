"""Which checkpoints are kept, and what of the store nobody needs any more.

Kept are the newest ones, those with a name, and those that were set aside. A manifest goes before its parts, so that
none ever refers to what is gone. Parts go when no manifest that is left refers to them: those of deleted checkpoints,
and those of attempts that came to nothing.
"""

from __future__ import annotations

import time

from constellationdb.errors import CorruptState
from constellationdb.storage.checkpoints.manifest import PARTS, SET_ASIDE, CheckpointManifest, epoch_of, manifest_name
from constellationdb.storage.checkpoints.reader import CheckpointReader

RETAINED = 3
"""How many checkpoints are kept beside those with a name."""


def collect(reader: CheckpointReader, current: CheckpointManifest, retained: int = RETAINED) -> None:
    """Deletes what is not kept. ``current`` is the checkpoint that the next one builds upon."""
    epochs = reader.epochs()
    kept = {*epochs[:retained], *reader.names().values(), current.epoch}
    gone = [epoch for epoch in epochs if epoch not in kept]
    reader.objects.delete(manifest_name(epoch) for epoch in gone)
    for epoch in gone:
        reader.forget(epoch)
    needed, unknown_up_to = set(current.parts), _newest_unreadable_set_aside(reader)
    for _, manifest in reader.set_aside():
        needed |= manifest.parts.keys()
    for epoch in sorted(kept & set(epochs)):
        try:
            needed |= reader.manifest(epoch).parts.keys()
        except CorruptState:  # it may refer to anything that was there at its time
            unknown_up_to = max(unknown_up_to, epoch)
    reader.objects.delete(_orphans(reader, needed, unknown_up_to))


def _newest_unreadable_set_aside(reader: CheckpointReader) -> int:
    readable = {name for name, _ in reader.set_aside()}
    others = (info.name for info in reader.objects.list(SET_ASIDE) if info.name not in readable)
    return max((epoch_of(name) or 0 for name in others), default=0)


def _orphans(reader: CheckpointReader, needed: set[str], unknown_up_to: int) -> list[str]:
    before = time.time() - reader.objects.grace_seconds
    return [
        info.name
        for info in reader.objects.list(PARTS)
        if info.name not in needed and info.modified <= before and (epoch_of(info.name) or 0) > unknown_up_to
    ]
