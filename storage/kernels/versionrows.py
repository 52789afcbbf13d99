"""Keys and values of versions, copied out of their log."""

from __future__ import annotations

from constellationdb.jit import kernel
from constellationdb.storage.kernels.memory import I64, U8, Bool, copy_bytes, prefetch
from constellationdb.storage.kernels.versions import HEAD, is_gone, key_length, value_length

_AHEAD = 32


@kernel("void(const u8[], const i64[], bool, i64[])")
def offsets_of(log: U8, at: I64, values: bool, out: I64) -> None:
    """Where the keys, or the values, of these versions begin and end when they lie one after the other."""
    out[0] = 0
    for i in range(len(at)):
        if values:
            out[i + 1] = out[i] + (0 if at[i] == 0 else value_length(log, at[i]))
        else:
            out[i + 1] = out[i] + key_length(log, at[i])


@kernel("void(const u8[], const i64[], bool, const i64[], u8[])")
def copy_out(log: U8, at: I64, values: bool, offsets: I64, out: U8) -> None:
    """The keys, or the values, of these versions, one after the other."""
    for i in range(len(at)):
        if i + _AHEAD < len(at):
            prefetch(log, at[i + _AHEAD])
        if at[i] != 0:
            start = at[i] + HEAD + (key_length(log, at[i]) if values else 0)
            copy_bytes(log, start, out, offsets[i], offsets[i + 1] - offsets[i])


@kernel("void(const u8[], const i64[], bool[])")
def have_values(log: U8, at: I64, out: Bool) -> None:
    """Which of these versions have a value."""
    for i in range(len(at)):
        out[i] = not is_gone(log, at[i])
