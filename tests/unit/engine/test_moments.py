"""Variance and regression equal the exact answer, rounded, whatever came and went."""

from __future__ import annotations

import math
from fractions import Fraction
from random import Random

import numpy as np
import pyarrow as pa
import pytest

from constellationdb.engine.aggregates.moments import Regression, Variance

_ONE = np.zeros(1, np.int64)


def _central(xs: list[float], ys: list[float]) -> Fraction:
    n = len(xs)
    mean_x, mean_y = sum(map(Fraction, xs), Fraction(0)) / n, sum(map(Fraction, ys), Fraction(0)) / n
    return sum(((Fraction(x) - mean_x) * (Fraction(y) - mean_y) for x, y in zip(xs, ys, strict=True)), Fraction(0))


def _slots(values: list[float]) -> np.ndarray:
    return np.zeros(len(values), np.int64)


_GROUPS = {
    "small": [0.1, 4.0, 0.7, -3.25],
    "equal": [0.1] * 7,
    "far from zero": [1e9 + i / 1000 for i in range(50)],
    "very far": [1e15 + i for i in range(9)],
    "tiny spread": [1e9, 1e9 + 2.0**-22],
    "wide": [1e-120, 1.0, 1e100],
}


@pytest.mark.parametrize("name", _GROUPS)
def test_variance_is_exact(name: str) -> None:
    values = _GROUPS[name]
    made, noise = Variance(0, root=False), [Random(name).uniform(-1e18, 1e18) for _ in range(20)]
    made.update(_slots(noise), pa.array(noise), None, None)
    made.update(_slots(values), pa.array(values), None, None)
    made.update(_slots(noise), pa.array(noise), np.full(len(noise), -1), None)
    found, beyond = made.result(_ONE)
    assert found[0].as_py() == pytest.approx(float(_central(values, values) / len(values)), rel=4e-16, abs=0)
    assert not beyond.any()


def test_no_rows_one_row_and_what_is_not_finite() -> None:
    sample = Variance(1, root=True)
    assert sample.result(_ONE)[0].to_pylist() == [None]
    sample.update(_ONE, pa.array([3.0]), None, None)
    assert sample.result(_ONE)[0].to_pylist() == [None]
    sample.update(_ONE, pa.array([math.inf]), None, None)
    assert math.isnan(sample.result(_ONE)[0][0].as_py())
    sample.update(_ONE, pa.array([math.inf]), np.array([-1]), None)
    sample.update(_ONE, pa.array([5.0]), None, None)
    assert sample.result(_ONE)[0].to_pylist() == [math.sqrt(2.0)]
    sample.update(_ONE, pa.array([1e200]), None, None)
    assert sample.result(_ONE)[1].all()


def test_regression() -> None:
    random = Random(3)
    xs = [random.uniform(-5, 5) for _ in range(40)]
    ys = [2 * x + random.uniform(-1, 1) for x in xs]
    xx, yy, xy, n = _central(xs, xs), _central(ys, ys), _central(xs, ys), len(xs)
    mean_x, mean_y = sum(map(Fraction, xs)) / n, sum(map(Fraction, ys)) / n
    expected = {
        "covar_pop": xy / n, "covar_samp": xy / (n - 1), "regr_count": n, "regr_avgx": mean_x, "regr_avgy": mean_y,
        "regr_sxx": xx, "regr_syy": yy, "regr_sxy": xy, "regr_slope": xy / xx, "regr_r2": xy * xy / (xx * yy),
        "regr_intercept": mean_y - mean_x * xy / xx, "corr": float(xy) / math.sqrt(float(xx) * float(yy)),
    }  # fmt: skip
    for kind, value in expected.items():
        made = Regression(kind, pa.int64() if kind == "regr_count" else pa.float64())
        pairs = pa.StructArray.from_arrays([pa.array([*ys, 9.0]), pa.array([*xs, 1e17])], ["first", "second"])
        made.update(_slots([*xs, 0.0]), pairs, None, None)
        made.update(_ONE, pairs.slice(n), np.array([-1]), None)
        copy = Regression(kind, pa.int64() if kind == "regr_count" else pa.float64())
        copy.load(made.dump(_ONE), _ONE)
        for each in (made, copy):
            assert each.result(_ONE)[0][0].as_py() == pytest.approx(float(value), rel=1e-14)
