"""Exact sums against fractions: the nearest double of the true sum, whatever came and went."""

from __future__ import annotations

import math
import random
import struct
from collections import defaultdict
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from constellationdb.engine.kernels.floatsum import ExactSums


def _ordinary(rnd: random.Random) -> float:
    return rnd.choice([rnd.uniform(-1e3, 1e3), 0.1, 1e16, -1e16, 0.0, -0.0])


def _extreme(rnd: random.Random) -> float:
    return rnd.choice([1e308, -1e308, 1.7976931348623157e308, 5e-324, -5e-324, 2.2250738585072014e-308, 1.0])


def _any_bits(rnd: random.Random) -> float:
    return float(struct.unpack("d", rnd.randbytes(8))[0])


def _power(rnd: random.Random) -> float:
    return float(rnd.randint(-3, 3)) * 2.0 ** rnd.randint(-1074, 1000)


def _tie(rnd: random.Random) -> float:
    """Sums of these often lie exactly between two doubles."""
    return rnd.choice([1.0, -1.0]) * rnd.choice([2.0**53, 1.0, 2.0**-53, 2.0**-106, 2.0**-1074, 3.0, 2.0**54 + 4])


def _infinite(rnd: random.Random) -> float:
    return rnd.choice([math.inf, -math.inf, math.nan, 1.0, 0.25])


_MAKERS = [_ordinary, _extreme, _any_bits, _power, _tie, _infinite]


class Model:
    """Each slot's rows as one fraction and three counts."""

    def __init__(self) -> None:
        self.finite: defaultdict[int, Fraction] = defaultdict(Fraction)
        self.odd: defaultdict[tuple[int, str], int] = defaultdict(int)

    def add(self, slot: int, value: float, weight: int) -> None:
        if math.isfinite(value):
            self.finite[slot] += Fraction(value) * weight
        else:
            self.odd[slot, str(value)] += weight

    def result(self, slot: int) -> tuple[str, bool]:
        """The sum as text, so that NaN equals itself; and whether it left the range of a double."""
        nan, up, down = (self.odd[slot, name] != 0 for name in ("nan", "inf", "-inf"))
        if nan or (up and down):
            return "nan", False
        if up or down:
            return ("inf" if up else "-inf"), False
        try:
            return str(float(self.finite[slot]) + 0.0), False
        except OverflowError:
            return ("inf" if self.finite[slot] > 0 else "-inf"), True


def _assert_same(sums: ExactSums, model: Model, slots: int) -> None:
    values, beyond = sums.result(np.arange(slots))
    for slot in range(slots):
        assert (str(values[slot].item()), bool(beyond[slot])) == model.result(slot)


@pytest.mark.parametrize("make", _MAKERS)
@pytest.mark.parametrize("weights", [(1,), (1, -1), (1, -1, 2**63 - 1, -(2**63), 7, 0)])
def test_the_sum_is_the_nearest_double(make: Callable[[random.Random], float], weights: tuple[int, ...]) -> None:
    rnd = random.Random(len(weights))
    if make is _infinite:  # what is counted has at most 2**63 rows
        weights = tuple(weight for weight in weights if abs(weight) < 2**50)
    for _ in range(40):
        sums, model, slots = ExactSums(), Model(), rnd.choice([1, 3, 200])
        for _ in range(3):
            rows = [(rnd.randrange(slots), make(rnd), rnd.choice(weights), rnd.random() < 0.9) for _ in range(40)]
            for slot, value, weight, ok in rows:
                if ok:
                    model.add(slot, value, weight)
            slot_column, value_column, weight_column, valid = (np.array(column) for column in zip(*rows, strict=True))
            sums.add(slot_column, value_column, None if weights == (1,) else weight_column, valid)
        _assert_same(sums, model, slots)


def test_it_is_fsum_in_any_order() -> None:
    rnd = random.Random(7)
    for _ in range(50):
        values = [_ordinary(rnd) for _ in range(100)] + [_power(rnd) for _ in range(3)]
        rnd.shuffle(values)
        sums = ExactSums()
        sums.add(np.zeros(len(values), np.int64), np.array(values))
        assert sums.result(np.array([0]))[0][0] == math.fsum(values)


@pytest.mark.parametrize("make", _MAKERS)
def test_taking_everything_back_leaves_nothing(make: Callable[[random.Random], float]) -> None:
    rnd, sums = random.Random(11), ExactSums()
    values = [make(rnd) for _ in range(300)]
    slots = np.zeros(300, np.int64)
    sums.add(slots, np.array(values))
    rnd.shuffle(values)
    sums.add(slots, np.array(values), np.full(300, -1))
    total, beyond = sums.result(np.array([0]))
    assert (str(total[0]), bool(beyond[0])) == ("0.0", False)


def test_a_long_run_of_one_value_carries_on() -> None:
    sums, slots, values = ExactSums(), np.zeros(100_000, np.int64), np.full(100_000, 0.1)
    for _ in range(30):
        sums.add(slots, values)
    sums.add(slots[:2], np.array([0.1, 0.1]), np.array([2**62, 2**62]))
    assert sums.result(np.array([0]))[0][0] == float(Fraction(0.1) * (3_000_000 + 2**63))


def test_rows_of_no_slot_and_unknown_slots() -> None:
    sums = ExactSums()
    sums.add(np.array([-1, 2]), np.array([5.0, 6.0]))
    sums.add(np.zeros(0, np.int64), np.zeros(0))
    assert sums.result(np.array([2, 0, 1_000]))[0].tolist() == [6.0, 0.0, 0.0]


@pytest.mark.parametrize("make", _MAKERS)
def test_dumped_sums_go_on_where_they_were(make: Callable[[random.Random], float]) -> None:
    rnd, sums, model = random.Random(13), ExactSums(), Model()

    def add(target: ExactSums) -> None:
        rows = [(rnd.randrange(50), make(rnd)) for _ in range(400)]
        for slot, value in rows:
            model.add(slot, value, 1)
        target.add(np.array([slot for slot, _ in rows]), np.array([value for _, value in rows]))

    add(sums)
    restored = ExactSums()
    for part in (np.arange(20), np.arange(20, 50)):
        restored.load(part, *sums.dump(part))
    add(restored)
    _assert_same(restored, model, 50)
    kept = np.array([49, 3, 17])
    values = restored.result(kept)[0]
    assert restored.compact(kept).result(np.arange(3))[0].tobytes() == values.tobytes()


@pytest.mark.parametrize("make", _MAKERS)
@pytest.mark.parametrize("wide", [False, True])
def test_sums_of_parts_are_the_sum(make: Callable[[random.Random], float], wide: bool) -> None:
    rnd = random.Random(11)
    for _ in range(30):
        whole, model, slots = ExactSums(), Model(), np.arange(4)
        for _ in range(rnd.randint(1, 5)):
            part = ExactSums()
            part.reserve(4)
            for _ in range(rnd.randint(1, 20)):
                slot, value, weight = rnd.randrange(4), make(rnd), rnd.choice((1, -1, 3, 2**52, -(2**52)))
                part.add(np.array([slot]), np.array([value]), np.array([weight]))
                model.add(slot, value, weight)
            if wide:
                part.widen(4)
                chosen = np.array(rnd.sample(range(4), 4))
                narrow, rows = part.dump(chosen)
                assert len(rows) == 4
                part = ExactSums()
                part.load(chosen[2:], narrow[2:], rows[2:])  # as some of them arrive at one worker
                part.load(chosen[:2], narrow[:2], rows[:2])
            whole.merge(slots, part, slots)
        _assert_same(whole, model, 4)
