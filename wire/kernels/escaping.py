"""What COPY's two text formats do to a value: backslashes, or quotes.

``letters`` has for each byte what follows the backslash in front of it, and 0
for a byte that stands for itself.
"""

from __future__ import annotations

import numpy as np

from constellationdb.jit import inlined, kernel
from constellationdb.wire.kernels.digits import I32, I64, U8

_BACKSLASH, _NEWLINE, _RETURN, _POINT = 92, 10, 13, 46


@kernel("i64(const u8[], const i64[], const i32[], const u8[], i32[])")
def escaped_lengths(data: U8, starts: I64, lengths: I32, letters: U8, longer: I32) -> int:
    """How long each value is with its backslashes; the answer is how many there are in all."""
    backslashes = 0
    for i in range(len(starts)):
        more = 0
        first = np.uint64(starts[i])
        for _ in range(lengths[i]):
            more += letters[data[first]] != 0
            first += np.uint64(1)
        longer[i] = lengths[i] + more
        backslashes += more
    return backslashes


@kernel("void(const u8[], const i64[], const i32[], const u8[], u8[], i64[])")
def put_escaped(data: U8, starts: I64, lengths: I32, letters: U8, out: U8, places: I64) -> None:
    """``places``: where each value goes."""
    for i in range(len(starts)):
        at = places[i]
        for place in range(starts[i], starts[i] + max(lengths[i], 0)):
            letter = letters[data[place]]
            if letter != 0:
                out[at] = _BACKSLASH
                at += 1
            out[at] = letter if letter != 0 else data[place]
            at += 1


@inlined
def _equals(data: U8, start: int, length: int, word: U8) -> bool:
    if length != len(word):
        return False
    same = 0
    while same < length and data[start + same] == word[same]:
        same += 1
    return same == length


@inlined
def _needs_quotes(data: U8, start: int, length: int, delimiter: int, quote: int) -> bool:
    for place in range(start, start + length):
        byte = data[place]
        if byte in (delimiter, quote, _NEWLINE, _RETURN):
            return True
    return False


@kernel("i64(const u8[], const i64[], const i32[], i64, i64, i64, const u8[], i64, i64, i32[])")
def quoted_lengths(
    data: U8,
    starts: I64,
    lengths: I32,
    delimiter: int,
    quote: int,
    escape: int,
    null: U8,
    always: int,
    alone: int,
    longer: I32,
) -> int:
    """How long each value is with its quotes and escapes; the answer is how many values have any.

    ``always``: quote whatever is not NULL. ``alone``: the only column, where ``\\.`` would end the data.
    """
    quoted = 0
    for i in range(len(starts)):
        start, length = starts[i], np.int64(lengths[i])
        longer[i] = length
        if length < 0:
            continue
        needs = always != 0 or _equals(data, start, length, null)  # type: ignore[arg-type]
        if not needs:
            needs = _needs_quotes(data, start, length, delimiter, quote)  # type: ignore[arg-type]
        if not needs and alone != 0 and length == 2:
            needs = data[start] == _BACKSLASH and data[start + 1] == _POINT
        if needs:
            more = 2
            for place in range(start, start + length):
                more += data[place] == quote or data[place] == escape
            longer[i] = length + more
            quoted += 1
    return quoted


@kernel("void(const u8[], const i64[], const i32[], const i32[], i64, i64, u8[], i64[])")
def put_quoted(data: U8, starts: I64, lengths: I32, longer: I32, quote: int, escape: int, out: U8, places: I64) -> None:
    """A value is quoted if it became longer."""
    for i in range(len(starts)):
        at, quotes = places[i], longer[i] > lengths[i]
        if quotes:
            out[at] = quote
            at += 1
        for place in range(starts[i], starts[i] + max(lengths[i], 0)):
            byte = data[place]
            if quotes and byte in (quote, escape):
                out[at] = escape
                at += 1
            out[at] = byte
            at += 1
        if quotes:
            out[at] = quote
