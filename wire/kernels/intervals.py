"""Intervals with IntervalStyle postgres: ``1 year 2 mons -3 days +04:05:06.7``."""

from __future__ import annotations

import numpy as np

from constellationdb.jit import inlined, kernel
from constellationdb.wire.kernels.digits import I32, I64, MINUS, U8, put_number
from constellationdb.wire.kernels.times import put_clock

INTERVAL_WIDTH = 96  # -178956970 years -7 mons -2147483648 days -2562047788:00:54.775808
_SPACE, _PLUS, _S = 32, 43, 115
_YEAR: U8 = np.frombuffer(b" year", np.uint8)
_MONTH: U8 = np.frombuffer(b" mon", np.uint8)
_DAY: U8 = np.frombuffer(b" day", np.uint8)


@inlined
def _put_part(out: U8, at: int, start: int, amount: int, unit: U8, after_negative: bool) -> int:
    if at > start:
        out[at] = _SPACE
        at += 1
    if amount < 0 or after_negative:
        out[at] = MINUS if amount < 0 else _PLUS
        at += 1
    at = put_number(out, at, abs(amount))
    for i in range(len(unit)):
        out[at + i] = unit[i]
    at += len(unit)
    if amount != 1:
        out[at] = _S
        at += 1
    return at


@inlined
def _put_time(out: U8, at: int, start: int, us: int, after_negative: bool) -> int:
    if at > start:
        out[at] = _SPACE
        at += 1
    if us < 0 or after_negative:
        out[at] = MINUS if us < 0 else _PLUS
        at += 1
    return put_clock(out, at, abs(us))


@kernel("void(const i64[], const i64[], const i64[], u8[], i64[], i32[])")
def intervals(months: I64, days: I64, us: I64, out: U8, starts: I64, lengths: I32) -> None:
    """Once a part was negative, the next one carries a plus sign if it is not."""
    for i in range(len(months)):
        start = i * INTERVAL_WIDTH
        at, negative = start, False
        years = int(abs(months[i]) // 12 * (-1 if months[i] < 0 else 1))
        rest = int(months[i]) - years * 12
        if years != 0:
            at, negative = _put_part(out, at, start, years, _YEAR, negative), years < 0
        if rest != 0:
            at, negative = _put_part(out, at, start, rest, _MONTH, negative), rest < 0
        if days[i] != 0:
            at, negative = _put_part(out, at, start, int(days[i]), _DAY, negative), bool(days[i] < 0)
        if us[i] != 0 or at == start:
            at = _put_time(out, at, start, us[i], negative)
        starts[i] = start
        lengths[i] = at - start
