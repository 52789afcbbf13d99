"""The greatest of frames that slide over rows in order."""

from __future__ import annotations

from constellationdb.engine.kernels.rows import I64, Bool
from constellationdb.jit import kernel


@kernel("void(const i64[], const bool[], const i64[], const i64[], i64[], i64[])")
def greatest(words: I64, valid: Bool, begins: I64, ends: I64, queue: I64, out: I64) -> None:
    """The place of the greatest word from each begin to before its end, -1 where all are NULL; both only ever rise.

    ``queue``: as long as the rows. It holds what may still become the greatest: places whose words fall.
    """
    first, last, seen = 0, 0, 0
    for i in range(len(begins)):
        seen = max(seen, begins[i])
        while seen < ends[i]:
            if not len(valid) or valid[seen]:
                while last > first and words[queue[last - 1]] <= words[seen]:
                    last -= 1
                queue[last] = seen
                last += 1
            seen += 1
        while first < last and queue[first] < begins[i]:
            first += 1
        out[i] = queue[first] if first < last else -1
