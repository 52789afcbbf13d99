"""Values that lie in several chunks, brought together: row by row from the address where its chunk begins."""

from __future__ import annotations

from constellationdb.engine.kernels.rows import I64, U8, Bool
from constellationdb.jit import kernel
from constellationdb.storage.kernels.memory import bit_at, copy_from


@kernel("void(const i64[], const i64[], const i64[], i64, u8[])")
def gather_fixed(addresses: I64, chunks: I64, places: I64, width: int, out: U8) -> None:
    """Values of ``width`` bytes: that of row ``i`` is the one at ``places[i]`` of chunk ``chunks[i]``."""
    if width == 8:  # a width that the compiler knows is copied without a call
        for i in range(len(chunks)):
            copy_from(addresses[chunks[i]] + 8 * places[i], out, 8 * i, 8)
    elif width == 4:
        for i in range(len(chunks)):
            copy_from(addresses[chunks[i]] + 4 * places[i], out, 4 * i, 4)
    elif width == 16:
        for i in range(len(chunks)):
            copy_from(addresses[chunks[i]] + 16 * places[i], out, 16 * i, 16)
    else:
        for i in range(len(chunks)):
            copy_from(addresses[chunks[i]] + width * places[i], out, width * i, width)


@kernel("void(const i64[], const i64[], const i64[], bool[])")
def gather_bits(positions: I64, chunks: I64, places: I64, out: Bool) -> None:
    """Bits, by the position in memory of each chunk's first; one that has none (0) holds nothing but ones."""
    for i in range(len(chunks)):
        first = positions[chunks[i]]
        out[i] = first == 0 or bit_at(first + places[i])


@kernel("void(const i64[], const i64[], const i64[], const i64[], u8[])")
def gather_runs(addresses: I64, chunks: I64, starts: I64, offsets: I64, out: U8) -> None:
    """Runs of bytes, each from its start on in its chunk's to where ``offsets`` say."""
    for i in range(len(chunks)):
        copy_from(addresses[chunks[i]] + starts[i], out, offsets[i], offsets[i + 1] - offsets[i])
