"""Exact sums of doubles by slot, from which rows can be taken back.

The sum is kept as one long fixed-point number, so it depends on the rows that
are in it and on nothing else: not on their order, not on what came and went.
Reading it rounds once, to the double nearest the true sum (``math.fsum``).
NaN and the infinities are counted apart, so they too can be taken back.

How it works: bit 0 of the number weighs 2**-1074, the smallest subnormal.
The number is cut into limbs of 32 bits, each kept in an int64 that may run
over and is carried on only when it nears 2**62. A slot starts with a window of
7 limbs around its first value, one cache line in all; a value that does not
fit the window, or is not finite, moves the slot to a row of the wide pool,
with all 71 limbs (2098 bits of a double, 63 of weight, 63 of rows).
"""

from __future__ import annotations

import numpy as np

from constellationdb.engine.kernels.accumulate import F64, grow, in_rows
from constellationdb.engine.kernels.rows import I64, Bool
from constellationdb.jit import inlined, kernel
from constellationdb.storage.kernels.memory import mul_high, prefetch

# A narrow row: a mark, then the window. Mark 0: nothing yet; n > 0: the window
# starts at limb n - 1; n < 0: the sum is in wide row -n - 1 instead.
NARROW_WORDS = 8
_WINDOW = NARROW_WORDS - 1
# A wide row: the limbs, then the counts of NaN, +inf and -inf.
_LIMBS = 71
_NAN, _POSITIVE, _NEGATIVE = _LIMBS, _LIMBS + 1, _LIMBS + 2
WIDE_WORDS = _LIMBS + 3

_BELOW = 2  # limbs of the window under the first value's
_M32 = np.uint64(0xFFFFFFFF)
_SHIFT_32, _SIXTY_FOUR = np.uint64(32), np.uint64(64)
_FRACTION = np.int64((1 << 52) - 1)
_INFINITE, _NOT_A_NUMBER = np.int64(0x7FF) << 52, np.int64(0xFFF) << 51
_FULL = np.int64(1) << 62
_AHEAD = 8


class ExactSums:
    """Sums by slot 0, 1, 2, …; it grows with the slots it is given."""

    def __init__(self) -> None:
        self._narrow: I64 = np.zeros(64 * NARROW_WORDS, np.int64)
        self._wide: I64 = np.zeros(WIDE_WORDS, np.int64)
        self._used: I64 = np.zeros(1, np.int64)  # rows of the wide pool

    @property
    def nbytes(self) -> int:
        return self._narrow.nbytes + self._wide.nbytes

    def reserve(self, slots: int) -> None:
        """Make room for slots 0 to ``slots - 1``."""
        self._narrow = grow(self._narrow, slots * NARROW_WORDS)

    def add(self, slots: I64, values: F64, weights: I64 | None = None, valid: Bool | None = None) -> None:
        """Add each value ``weights`` times (negative: take it back) to its slot; -1 is no slot."""
        if not len(slots):
            return
        self.reserve(int(slots.max()) + 1)
        bits = np.ascontiguousarray(values, np.float64).view(np.int64)
        weights = np.zeros(0, np.int64) if weights is None else weights
        valid = np.zeros(0, np.bool_) if valid is None else valid
        row = 0
        while (row := _add(self._narrow, self._wide, self._used, slots, bits, weights, valid, row)) < len(slots):
            self._wide = grow(self._wide, (int(self._used[0]) + 1) * WIDE_WORDS)

    def merge(self, slots: I64, source: ExactSums, others: I64) -> None:
        """Add to each of ``slots`` the sum that ``source``, another than this, has in the other slot in its place."""
        if not len(slots):
            return
        self.reserve(int(slots.max()) + 1)
        source.reserve(int(others.max()) + 1)
        row, more = 0, (source._narrow, source._wide)
        while (row := _merge(self._narrow, self._wide, self._used, slots, *more, others, row)) < len(slots):
            self._wide = grow(self._wide, (int(self._used[0]) + 1) * WIDE_WORDS)

    def widen(self, slots: int) -> None:
        """Give each of the first ``slots`` slots a wide row, so that ``dump`` has as many of these as of the others."""
        self.reserve(slots)
        self._wide = grow(self._wide, (int(self._used[0]) + slots) * WIDE_WORDS)
        _widen_all(self._narrow, self._wide, self._used, slots)

    def result(self, slots: I64) -> tuple[F64, Bool]:
        """The rounded sums, and which of them left the range of a double (they read as infinite)."""
        if len(slots):
            self.reserve(int(slots.max()) + 1)
        out, beyond = np.empty(len(slots), np.float64), np.zeros(len(slots), np.bool_)
        _round(self._narrow, self._wide, slots, out.view(np.int64), beyond)
        return out, beyond

    def exact(self, slot: int) -> int:
        """The sum of a slot as a multiple of the smallest double, 2**-1074; NaN and the infinities left out."""
        mark = int(self._narrow[slot * NARROW_WORDS])
        if mark >= 0:
            first, base = slot * NARROW_WORDS + 1, max(mark - 1, 0)
            held = self._narrow[first : first + _WINDOW]
        else:
            first, base = (-mark - 1) * WIDE_WORDS, 0
            held = self._wide[first : first + _LIMBS]
        return sum(int(limb) << (32 * (base + i)) for i, limb in enumerate(held))

    def dump(self, slots: I64) -> tuple[I64, I64]:
        """The state of some slots, as a narrow row each and the wide rows that these refer to."""
        if len(slots):
            self.reserve(int(slots.max()) + 1)
        narrow = in_rows(self._narrow, NARROW_WORDS)[slots]
        moved = np.flatnonzero(narrow[:, 0] < 0)
        wide = in_rows(self._wide, WIDE_WORDS)[-narrow[moved, 0] - 1]
        narrow[moved, 0] = -np.arange(1, len(moved) + 1)
        return narrow, wide

    def load(self, slots: I64, narrow: I64, wide: I64) -> None:
        """Put what ``dump`` gave, or some slots of it, at ``slots``: the wide rows are those of the slots in order."""
        if not len(slots):
            return
        self.reserve(int(slots.max()) + 1)
        first, narrow = int(self._used[0]), narrow.copy()
        self._wide = grow(self._wide, (first + len(wide)) * WIDE_WORDS)
        in_rows(self._wide, WIDE_WORDS)[first : first + len(wide)] = wide
        self._used[0] = first + len(wide)
        moved = np.flatnonzero(narrow[:, 0] < 0)
        narrow[moved, 0] = -first - np.arange(1, len(moved) + 1)
        in_rows(self._narrow, NARROW_WORDS)[slots] = narrow

    def compact(self, kept: I64) -> ExactSums:
        """The sums of the slots ``kept``, at slots 0, 1, 2, … in their order."""
        smaller = ExactSums()
        smaller.load(np.arange(len(kept)), *self.dump(kept))
        return smaller


@inlined
def _widen(narrow: I64, wide: I64, used: I64, slot: int) -> int:
    """Move a slot to the wide pool, if it is not there: its row."""
    at = slot * NARROW_WORDS
    mark = narrow[at]
    if mark < 0:
        return int(-mark - 1)
    row = np.int64(used[0])
    used[0] = row + 1
    for i in range(WIDE_WORDS):
        wide[row * WIDE_WORDS + i] = 0
    for i in range(_WINDOW):
        if mark > 0:
            wide[row * WIDE_WORDS + mark - 1 + i] = narrow[at + 1 + i]
        narrow[at + 1 + i] = 0
    narrow[at] = -row - 1
    return int(row)


@inlined
def _window_base(narrow: I64, slot: int, limb: int, size: int) -> int:
    """Where the slot's window starts, -1 if ``size`` limbs from ``limb`` on do not fit it."""
    at = slot * NARROW_WORDS
    if narrow[at] == 0:
        narrow[at] = 1 + min(max(limb - _BELOW, 0), _LIMBS - _WINDOW)
    base = narrow[at] - 1
    top = narrow[at + _WINDOW]
    # The last limb has nowhere to carry to; half of its range is left for this addition.
    if base < 0 or limb < base or limb + size > base + _WINDOW or top > _FULL >> 1 or top < -(_FULL >> 1):
        return -1
    return int(base)


@inlined
def _add_digit(limbs: I64, place: int, digit: np.int64) -> None:
    total = limbs[place] + digit
    while total > _FULL or total < -_FULL:
        limbs[place] = total & np.int64(0xFFFFFFFF)
        place += 1
        total = limbs[place] + (total >> 32)
    limbs[place] = total


@kernel("i64(i64[], i64[], i64[], const i64[], const i64[], const i64[], const bool[], i64)")
def _add(narrow: I64, wide: I64, used: I64, slots: I64, values: I64, weights: I64, valid: Bool, first: int) -> int:
    """Add rows from ``first`` on; stops at the row for which the wide pool might have no room."""
    digits = np.empty(5, np.uint64)
    for i in range(first, len(slots)):
        if i + _AHEAD < len(slots):
            prefetch(narrow, slots[i + _AHEAD] * NARROW_WORDS)
        slot, weight = slots[i], weights[i] if len(weights) else np.int64(1)
        if slot < 0 or weight == 0 or (len(valid) and not valid[i]):
            continue
        if (used[0] + 1) * WIDE_WORDS > len(wide):
            return i
        exponent, fraction = (values[i] >> 52) & 0x7FF, values[i] & _FRACTION
        if exponent == 0x7FF:
            kind = _NAN if fraction else (_NEGATIVE if values[i] < 0 else _POSITIVE)
            wide[_widen(narrow, wide, used, slot) * WIDE_WORDS + kind] += weight
            continue
        if exponent > 0:
            fraction |= _FRACTION + 1
            exponent -= 1
        times = np.uint64(weight) if weight > 0 else np.uint64(-weight)
        low, high = np.uint64(fraction) * times, mul_high(np.uint64(fraction), times)
        limb, shift, above = exponent >> 5, np.uint64(exponent & 31), np.uint64(0)
        if shift > np.uint64(0):
            above = high >> (_SIXTY_FOUR - shift)
            high = (high << shift) | (low >> (_SIXTY_FOUR - shift))
            low <<= shift
        digits[0], digits[1], digits[2] = low & _M32, low >> _SHIFT_32, high & _M32
        digits[3], digits[4] = high >> _SHIFT_32, above
        size = 5
        while size > 0 and digits[size - 1] == np.uint64(0):
            size -= 1
        if size == 0:
            continue
        limbs, base = narrow, _window_base(narrow, slot, limb, size)
        place = slot * NARROW_WORDS + 1 + limb - base
        if base < 0:
            place = _widen(narrow, wide, used, slot) * WIDE_WORDS + limb
            limbs = wide
        negative = (values[i] < 0) != (weight < 0)
        for k in range(size):
            digit = np.int64(digits[k])
            _add_digit(limbs, place + k, -digit if negative else digit)
    return len(slots)


@kernel("void(i64[], i64[], i64[], i64)")
def _widen_all(narrow: I64, wide: I64, used: I64, slots: int) -> None:
    for slot in range(slots):
        _widen(narrow, wide, used, slot)


@kernel("i64(i64[], i64[], i64[], const i64[], const i64[], const i64[], const i64[], i64)")
def _merge(
    narrow: I64, wide: I64, used: I64, slots: I64, more_narrow: I64, more_wide: I64, others: I64, first: int
) -> int:
    """Add sums from ``first`` on; stops at the one for which the wide pool might have no room."""
    for i in range(first, len(slots)):
        if (used[0] + 1) * WIDE_WORDS > len(wide):
            return i
        slot, at = slots[i], others[i] * NARROW_WORDS
        mark = more_narrow[at]
        more, start, limb, count = more_narrow, at + 1, max(mark - 1, 0), _WINDOW
        if mark < 0:
            more, start, limb, count = more_wide, (-mark - 1) * WIDE_WORDS, np.int64(0), _LIMBS
            for kind in (_NAN, _POSITIVE, _NEGATIVE):
                if more[start + kind] != 0:
                    wide[_widen(narrow, wide, used, slot) * WIDE_WORDS + kind] += more[start + kind]
        while count > 0 and more[start + count - 1] == 0:
            count -= 1
        while count > 0 and more[start] == 0:
            start, limb, count = start + 1, limb + 1, count - 1
        if count == 0:
            continue
        size = min(count + 1, _LIMBS - limb)  # a limb may hold more than its digit
        limbs, base = narrow, _window_base(narrow, slot, limb, size)
        place = slot * NARROW_WORDS + 1 + limb - base
        if base < 0:
            place = _widen(narrow, wide, used, slot) * WIDE_WORDS + limb
            limbs = wide
        for k in range(count):
            held = more[start + k]
            if k + 1 == size:  # the number's last limb has nowhere to carry to
                _add_digit(limbs, place + k, held)
                continue
            _add_digit(limbs, place + k, held & np.int64(0xFFFFFFFF))
            _add_digit(limbs, place + k + 1, held >> 32)
    return len(slots)


@inlined
def _normalised(limbs: I64, start: int, count: int, out: I64) -> bool:
    """The magnitude in ``out``, every limb 0 to 2**32 - 1, two more than ``count``; whether it is negative."""
    carried = np.int64(0)
    for i in range(count + 2):
        total = carried + (limbs[start + i] if i < count else 0)
        out[i] = total & np.int64(0xFFFFFFFF)
        carried = total >> 32
    if carried == 0:
        return False
    borrow = np.int64(1)
    for i in range(count + 2):
        total = (out[i] ^ np.int64(0xFFFFFFFF)) + borrow
        out[i] = total & np.int64(0xFFFFFFFF)
        borrow = total >> 32
    return True


@inlined
def _nearest(limbs: I64, count: int, base: int) -> np.int64:
    """The bits of the double nearest a normalised number whose first limb is limb ``base``, ties to even."""
    top = count - 1
    while top >= 0 and limbs[top] == 0:
        top -= 1
    if top < 0:
        return np.int64(0)
    length = np.int64(0)
    while limbs[top] >> length:
        length += 1
    highest = 32 * (base + top) + length - 1
    second = limbs[top - 1] if top >= 1 else np.int64(0)
    third = limbs[top - 2] if top >= 2 else np.int64(0)
    if highest < 53:  # such a small number is its own bit pattern
        low = second << (32 * (base + top - 1)) if top >= 1 else np.int64(0)
        return (limbs[top] << (32 * (base + top))) | low  # type: ignore[no-any-return]
    # The highest 64 bits, of which 53 stay.
    word = np.uint64(limbs[top]) << np.uint64(64 - length)
    word |= np.uint64(second) << np.uint64(32 - length)
    word |= np.uint64(third) >> np.uint64(length)
    mantissa, rest = np.int64(word >> np.uint64(11)), np.int64(word & np.uint64(0x7FF))
    below = third & ((np.int64(1) << length) - 1)
    for i in range(top - 2):
        below |= limbs[i]
    if rest > 0x400 or (rest == 0x400 and (below != 0 or mantissa & 1)):
        mantissa += 1  # up to 2**53, which the addition below turns into the next exponent
    exponent = highest - 51
    if exponent >= 0x7FF:
        return _INFINITE
    return ((exponent - 1) << 52) + mantissa


@kernel("void(const i64[], const i64[], const i64[], i64[], bool[])")
def _round(narrow: I64, wide: I64, slots: I64, out: I64, beyond: Bool) -> None:
    """The bits of each slot's sum; ``beyond`` marks a finite sum that no finite double is near."""
    work = np.empty(_LIMBS + 2, np.int64)
    for i in range(len(slots)):
        at = slots[i] * NARROW_WORDS
        mark = narrow[at]
        if mark >= 0:
            negative = _normalised(narrow, at + 1, _WINDOW, work)
            bits = _nearest(work, _WINDOW + 2, max(mark - 1, 0))
        else:
            row = (-mark - 1) * WIDE_WORDS
            up, down = wide[row + _POSITIVE] != 0, wide[row + _NEGATIVE] != 0
            if wide[row + _NAN] != 0 or (up and down):
                out[i] = _NOT_A_NUMBER
                continue
            if up or down:
                out[i] = _INFINITE | (np.int64(-1) << 63 if down else 0)
                continue
            negative = _normalised(wide, row, _LIMBS, work)
            bits = _nearest(work, _LIMBS + 2, 0)
        beyond[i] = bits == _INFINITE
        out[i] = bits | (np.int64(-1) << 63) if negative else bits
