"""COPY's text format: lines cut into fields, escapes taken away in place.

``scan_text`` reads complete lines from ``data[0:size]`` into a table of fields, column after column
with room for ``room`` rows: where each begins and how long it is, -1 for NULL. An unescaped
value is never longer than what was written, so it takes its place in ``data``.

``state``: 0 how lines end (see ``LF``, ``CRLF``), 1 where the first line that was not read begins,
2 where a line with an error begins, 3 how many fields it has.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from constellationdb.jit import inlined, kernel

U8 = NDArray[np.uint8]
I64 = NDArray[np.int64]

# What ended the scan, in ``state[4]``.
MORE, MISSING, EXTRA, CARRIAGE, NEWLINE, END, CORRUPT = range(7)
LF, CRLF = 1, 2
_CONTROL = np.zeros(256, np.uint8)
for _letter, _value in zip(b"bfnrtv", b"\b\f\n\r\t\v", strict=True):
    _CONTROL[_letter] = _value

_NEWLINE, _RETURN, _BACKSLASH, _DOT, _X = 10, 13, 92, 46, 120


@inlined
def hex_value(letter: int) -> int:
    """The value of a hexadecimal digit, or -1."""
    if 48 <= letter <= 57:
        return letter - 48
    lowered = letter | 32
    return lowered - 87 if 97 <= lowered <= 102 else -1


@inlined
def is_null(data: U8, at: int, size: int, null: U8, delimiter: int) -> bool:
    """Whether the field that begins at ``at`` is the null marker and nothing else."""
    end = at + len(null)
    if end >= size:
        return False
    for i in range(len(null)):
        if data[at + i] != null[i]:
            return False
    after = data[end]
    crlf = after == _RETURN and end + 1 < size and data[end + 1] == _NEWLINE
    return bool(crlf or after in (delimiter, _NEWLINE))


@kernel("i64(u8[], i64, i64, i64, const u8[], i64[], i64[], i64, i64, const u8[], i64[])")
def scan_text(
    data: U8,
    begin: int,
    size: int,
    delimiter: int,
    null: U8,
    starts: I64,
    lengths: I64,
    room: int,
    columns: int,
    control: U8,
    state: I64,
) -> int:
    """How many rows were read; ``state[4]`` says what ended it."""
    at, rows = begin, 0
    state[4] = MORE
    while rows < room:
        line, column = at, 0
        state[1] = line
        while True:  # a field
            missing = is_null(data, at, size, null, delimiter)
            start, out = at, at
            if missing:
                at += len(null)
            copying, ended = False, False
            while at < size:
                letter = np.int64(data[at])
                if letter == delimiter:
                    break
                if letter == _NEWLINE:
                    if state[0] == CRLF:
                        state[2], state[4] = line, NEWLINE
                        return rows
                    state[0] = LF
                    break
                if letter == _RETURN:
                    if at + 1 >= size:
                        return rows
                    if data[at + 1] != _NEWLINE or state[0] == LF:
                        state[2], state[4] = line, CARRIAGE
                        return rows
                    state[0] = CRLF
                    break
                if letter != _BACKSLASH:
                    if copying:
                        data[out] = data[at]
                    out += 1
                    at += 1
                    continue
                if at + 1 >= size:
                    return rows
                copying = True
                following = np.int64(data[at + 1])
                if following == _DOT:
                    after = at + 2
                    if after < size and data[after] == _RETURN:
                        after += 1
                    if after >= size:
                        return rows
                    if data[after] != _NEWLINE:
                        state[2], state[4] = line, CORRUPT
                        return rows
                    if at == line:
                        state[1], state[4] = after + 1, END
                        return rows
                    ended = True
                    at = after
                    break
                at += 2
                value = following
                if 48 <= following <= 55:
                    value = following - 48
                    for _ in range(2):
                        if at < size and 48 <= data[at] <= 55:
                            value = value * 8 + data[at] - 48
                            at += 1
                    value &= 255
                elif following == _X:
                    if at < size and hex_value(data[at]) >= 0:
                        value = hex_value(data[at])  # type: ignore[assignment]
                        at += 1
                        if at < size and hex_value(data[at]) >= 0:
                            value = value * 16 + hex_value(data[at])
                            at += 1
                elif control[following]:
                    value = np.int64(control[following])
                data[out] = np.uint8(value)
                out += 1
            if at >= size:
                return rows
            if column < columns:
                place = column * room + rows
                starts[place] = start
                lengths[place] = -1 if missing else out - start
            column += 1
            if not ended and data[at] == delimiter:
                at += 1
                continue
            at += 2 if data[at] == _RETURN else 1
            break
        if column != columns:
            state[2], state[3], state[4] = line, column, MISSING if column < columns else EXTRA
            state[1] = at
            return rows
        rows += 1
        state[1] = at
        if ended:
            state[4] = END
            return rows
    return rows


def control_letters() -> U8:
    return _CONTROL
