"""JSON objects a line that all look alike, read byte by byte.

The records have the same names in the same order, and values of a few plain
kinds: integers, texts without escapes, timestamps, booleans, null. The first
thing that is anything else ends the attempt, and a library reads the block.

A block ends with a newline. No value holds one, so every loop here stops at it
at the latest and none looks whether the block has ended.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from constellationdb.jit import inlined, kernel

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]
Bool = NDArray[np.bool_]

INTEGER, TEXT, TIMESTAMP, BOOLEAN = 0, 1, 2, 3

_NEWLINE, _RETURN, _SPACE, _QUOTE, _COMMA, _MINUS, _POINT, _ZERO, _COLON = 10, 13, 32, 34, 44, 45, 46, 48, 58
_BACKSLASH, _OPEN, _CLOSE, _F, _N, _T_UPPER, _T = 92, 123, 125, 102, 110, 84, 116
_ONE = np.uint64(1)
_MOST_DIGITS = 18  # as many always fit an int64
_DAYS_BEFORE = np.array([0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365], np.int64)
_EPOCH_DAYS = 719_162  # from 0001-01-01 to 1970-01-01


@inlined
def _past_spaces(data: U8, at: int) -> int:
    while data[at] == _SPACE:
        at += 1
    return at


@inlined
def _past_word(data: U8, at: int, word: U8, first: int, last: int) -> int:
    """Behind ``word[first:last]``, or -1 if something else stands here."""
    place, left = np.uint64(at), np.uint64(first)
    for _ in range(last - first):
        if data[place] != word[left]:
            return -1
        place += _ONE
        left += _ONE
    return np.int64(place)  # type: ignore[return-value]


@inlined
def _past_text(data: U8, at: int) -> int:
    """At the quote that ends the text whose first byte is at ``at``, or -1 if there is more to it."""
    place = np.uint64(at)  # an index that cannot be negative needs no look whether it is: more than half of the time
    while data[place] != _QUOTE:
        if data[place] == _BACKSLASH or data[place] < _SPACE:
            return -1
        place += _ONE
    return np.int64(place)  # type: ignore[return-value]


@inlined
def _number(data: U8, at: int, count: int) -> int:
    """``count`` digits as a number, or -1."""
    value = 0
    for i in range(at, at + count):
        digit = int(data[i]) - _ZERO
        if digit < 0 or digit > 9:
            return -1
        value = value * 10 + digit
    return value


@inlined
def _days(year: int, month: int, day: int) -> int:
    """Days since 1970, or -(1 << 62) for a date that does not exist."""
    leap = (year % 4 == 0 and year % 100 != 0) or year % 400 == 0
    if year < 1 or month < 1 or month > 12 or day < 1:
        return -(1 << 62)
    length = _DAYS_BEFORE[month] - _DAYS_BEFORE[month - 1] + (1 if leap and month == 2 else 0)
    if day > length:
        return -(1 << 62)
    before = year - 1
    days = before * 365 + before // 4 - before // 100 + before // 400 + _DAYS_BEFORE[month - 1] + day - 1
    return days - _EPOCH_DAYS + (1 if leap and month > 2 else 0)  # type: ignore[no-any-return]


@inlined
def _fraction(data: U8, at: int, end: int) -> int:
    """``.f`` to ``.ffffff`` as microseconds, 0 for nothing, or -1."""
    if at == end:
        return 0
    digits = end - at - 1
    if data[at] != _POINT or digits < 1 or digits > 6:
        return -1
    value = _number(data, at + 1, digits)
    if value < 0:
        return -1
    for _ in range(6 - digits):
        value *= 10
    return value


@inlined
def _timestamp(data: U8, at: int, end: int) -> int:
    """``YYYY-MM-DD HH:MM:SS[.ffffff]`` as microseconds since 1970, or the least int64."""
    wrong = -(1 << 63)
    if end - at < 19 or data[at + 4] != _MINUS or data[at + 7] != _MINUS:
        return wrong
    if (data[at + 10] != _SPACE and data[at + 10] != _T_UPPER) or data[at + 13] != _COLON or data[at + 16] != _COLON:
        return wrong
    year, month, day = _number(data, at, 4), _number(data, at + 5, 2), _number(data, at + 8, 2)
    hour, minute, second = _number(data, at + 11, 2), _number(data, at + 14, 2), _number(data, at + 17, 2)
    if hour < 0 or hour > 23 or minute < 0 or minute > 59 or second < 0 or second > 59:
        return wrong
    days, fraction = _days(year, month, day), _fraction(data, at + 19, end)
    if days == -(1 << 62) or fraction < 0:
        return wrong
    return (((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000 + fraction


@inlined
def _integer(data: U8, at: int, least: int, greatest: int, words: I64, place: int) -> int:
    """Note the integer; behind it, or -1."""
    negative = data[at] == _MINUS
    if negative:
        at += 1
    first, value = at, 0
    while data[at] >= _ZERO and data[at] < _COLON:
        if at - first == _MOST_DIGITS:
            return -1
        value = value * 10 + (int(data[at]) - _ZERO)
        at += 1
    if at == first or (data[first] == _ZERO and at > first + 1):
        return -1
    if negative:
        value = -value
    if value < least or value > greatest:
        return -1
    words[place] = value
    return at


@inlined
def _boolean(data: U8, at: int, literals: U8, words: I64, place: int) -> int:
    """Note the boolean; behind it, or -1. ``literals`` is ``nulltruefalse``."""
    if data[at] == _T:
        words[place] = 1
        return _past_word(data, at, literals, 4, 8)
    words[place] = 0
    return _past_word(data, at, literals, 8, 13)


@inlined
def _quoted(data: U8, at: int, kind: int, words: I64, lengths: I64, place: int) -> int:
    """Note where a text lies, or which time it says; behind its closing quote, or -1."""
    if data[at] != _QUOTE:
        return -1
    start = at + 1
    end = _past_text(data, start)
    if end < 0:
        return -1
    if kind == TEXT:
        words[place] = start
        lengths[place] = end - start
        return end + 1
    words[place] = _timestamp(data, start, end)
    return -1 if words[place] == -(1 << 63) else end + 1


@kernel(
    "i64(const u8[], const u8[], const i64[], const u8[], "
    "const i64[], const i64[], const i64[], i64, i64[], i64[], bool[])"
)
def read_rows(
    data: U8, names: U8, name_ends: I64, literals: U8, kinds: I64, least: I64, greatest: I64, most: int,
    words: I64, lengths: I64, valid: Bool,
) -> int:  # fmt: skip
    """How many rows the block holds; -1 if it is not wholly of this form, or holds more than ``most``.

    Field ``f`` of row ``r`` is at ``f * most + r``: its value, or where its text starts, and how long it is.
    ``names`` are the quoted names and their colons, one after the other.
    """
    at, row = 0, 0
    while at < len(data):
        if row == most or data[at] != _OPEN:
            return -1
        at += 1
        for f in range(len(kinds)):
            if f:
                if data[at] != _COMMA:
                    return -1
                at += 1
            at = _past_word(data, _past_spaces(data, at), names, name_ends[f - 1] if f else 0, name_ends[f])
            if at < 0:
                return -1
            at = _past_spaces(data, at)
            place = f * most + row
            if data[at] == _N:
                at = _past_word(data, at, literals, 0, 4)
                valid[place], words[place], lengths[place] = False, 0, 0
            elif kinds[f] == INTEGER:
                at = _integer(data, at, least[f], greatest[f], words, place)
            elif kinds[f] == BOOLEAN:
                at = _boolean(data, at, literals, words, place)
            else:
                at = _quoted(data, at, kinds[f], words, lengths, place)
            if at < 0:
                return -1
        if data[at] != _CLOSE:
            return -1
        at += 1
        if data[at] == _RETURN:
            at += 1
        if data[at] != _NEWLINE:
            return -1
        at += 1
        row += 1
    return row


@kernel("void(const u8[], const i64[], const i64[], i32[], u8[])")
def copy_texts(data: U8, starts: I64, lengths: I64, offsets: I32, out: U8) -> None:
    """The texts one after the other, and where each begins; ``out`` holds as many bytes as they have."""
    to = np.uint64(0)
    for i in range(len(starts)):
        offsets[i] = np.int32(to)
        place = np.uint64(starts[i])
        for _ in range(lengths[i]):
            out[to] = data[place]
            to += _ONE
            place += _ONE
    offsets[len(starts)] = np.int32(to)
