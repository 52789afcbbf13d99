"""Which blobs of a relation's history are written anew as one: the changes since the last checkpoint, and others.

    before      64 │ 9 │ 4 │ 3        bytes of the blobs there are, the oldest first
    to write    2                     as much as half of the one before, and so on with what they come to
    after       64 │ 18

So there are few blobs, each at least twice as large as the next, and a change is written again a few times in all.
Large ones stay as they are, so that history that is no longer kept goes piece by piece.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from constellationdb.engine import batch as zset
from constellationdb.engine.changelog import EPOCH

LARGE_BYTES = 16 << 20


def joined(sizes: Sequence[int], fresh: int) -> int:
    """How many of the last of these blobs are to be one with what is written now, of ``fresh`` bytes."""
    count, total = 0, fresh
    for size in reversed(sizes):
        if size > 2 * total or size + total > LARGE_BYTES:
            break
        total += size
        count += 1
    return count


def together(parts: Sequence[pa.RecordBatch], behind: int) -> pa.RecordBatch:
    """Blobs one after the other, without the changes up to an epoch, which are no longer kept."""
    whole = pa.concat_batches([zset.named_like(part, parts[0].schema) for part in parts])
    return whole.filter(pc.greater(whole.column(EPOCH), behind))
