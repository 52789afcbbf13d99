"""COPY's CSV format: records cut into fields, quotes taken away in place.

As ``scan_text``; ``marks`` are delimiter, quote and escape. ``state[5]``: how many physical lines were read; ``lines``
has the number of the last one of each row.
"""

from __future__ import annotations

import numpy as np

from constellationdb.engine.kernels.copytext import CARRIAGE, CRLF, END, EXTRA, I64, LF, MISSING, MORE, NEWLINE, U8
from constellationdb.engine.kernels.copytext import is_null as _is_null
from constellationdb.jit import kernel

QUOTED = 7  # the data end within quotes
_NEWLINE, _RETURN, _BACKSLASH, _DOT = 10, 13, 92, 46


@kernel("i64(u8[], i64, i64, const i64[], const u8[], i64[], i64[], i64[], i64, i64, i64[])")
def scan_csv(
    data: U8,
    begin: int,
    size: int,
    marks: I64,
    null: U8,
    starts: I64,
    lengths: I64,
    lines: I64,
    room: int,
    columns: int,
    state: I64,
) -> int:
    """How many rows were read; ``state[4]`` says what ended it, QUOTED where nothing did within quotes."""
    delimiter, quote, escape = marks[0], marks[1], marks[2]
    at, rows = begin, 0
    line_count = state[5]
    state[4] = MORE
    while rows < room:
        line, column = at, 0
        state[1] = line
        state[5] = line_count
        if at + 2 < size and data[at] == _BACKSLASH and data[at + 1] == _DOT:
            after = at + 3 if data[at + 2] == _RETURN else at + 2
            if after < size and data[after] == _NEWLINE:
                state[1], state[4] = after + 1, END
                return rows
        while True:  # a field
            start, out = at, at
            missing = _is_null(data, at, size, null, delimiter)
            quoting = False
            while at < size:
                letter = np.int64(data[at])
                if quoting:
                    if letter == escape and at + 1 < size and (data[at + 1] == quote or data[at + 1] == escape):
                        data[out] = data[at + 1]
                        out += 1
                        at += 2
                        continue
                    if letter == escape and letter != quote and at + 1 >= size:
                        break
                    if letter == quote:
                        if at + 1 >= size and quote == escape:
                            at += 1
                            break
                        quoting = False
                        at += 1
                        continue
                    if letter == (_NEWLINE if state[0] == LF else _RETURN):  # as Postgres counts them
                        line_count += 1
                    data[out] = data[at]
                    out += 1
                    at += 1
                    continue
                if letter == delimiter:
                    break
                if letter == quote:
                    quoting = True
                    at += 1
                    continue
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
                data[out] = data[at]
                out += 1
                at += 1
            if at >= size:
                if quoting:
                    state[2], state[4], state[5] = line, QUOTED, line_count + 1
                return rows
            if column < columns:
                place = column * room + rows
                starts[place] = start
                lengths[place] = -1 if missing else out - start
            column += 1
            if data[at] == delimiter:
                at += 1
                continue
            at += 2 if data[at] == _RETURN else 1
            break
        line_count += 1
        if column != columns:
            state[1], state[2], state[3], state[5] = at, line, column, line_count
            state[4] = MISSING if column < columns else EXTRA
            return rows
        lines[rows] = line_count
        rows += 1
        state[1], state[5] = at, line_count
    return rows
