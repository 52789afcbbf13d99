"""Arithmetic of doubles and numerics with Postgres' errors and digits.

A finite double never becomes infinite, nor a number that is not zero zero; ln, sqrt and
power refuse what has no answer. A quotient of numerics is rounded, with room for the 16
digits Postgres promises; DataFusion's is cut off four digits after the dividend's last.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from constellationdb.planner.raising import ComputationError

FLOATS = {"f32": pa.float32(), "f64": pa.float64()}
# Digits after the point of a quotient; of whole numbers fewer are wanted, and more of them fit before the point.
WHOLE_SCALE, SCALE = 16, 20
_PRECISION = 38
_EXACT = Context(prec=100)


def _numpy(values: pa.Array) -> NDArray[Any]:
    """NULLs are NaN, which no check below is about."""
    array: NDArray[Any] = values.to_numpy(zero_copy_only=False)
    return array


def _checked(operation: Callable[[pa.Array, pa.Array], pa.Array], *, shrinks: bool) -> Callable[..., pa.Array]:
    """``operation`` of two doubles; ``shrinks``: its result may be zero only when the first operand is."""

    def evaluate(left: pa.Array, right: pa.Array) -> pa.Array:
        result = operation(left, right)
        values = _numpy(result)
        infinite = np.isinf(values)
        if infinite.any() and np.any(infinite & np.isfinite(_numpy(left)) & np.isfinite(_numpy(right))):
            raise ComputationError("22003", "value out of range: overflow")
        if shrinks:
            vanished = values == 0
            if vanished.any() and np.any(vanished & _is_nonzero(left) & _is_nonzero(right)):
                raise ComputationError("22003", "value out of range: underflow")
        return result

    return evaluate


def _is_nonzero(values: pa.Array) -> NDArray[np.bool_]:
    array = _numpy(values)
    found: NDArray[np.bool_] = np.isfinite(array) & (array != 0)
    return found


def _divide(left: pa.Array, right: pa.Array) -> pa.Array:
    zero = pc.and_(pc.equal(right, pa.scalar(0.0, right.type)), left.is_valid())
    if pc.any(zero).as_py():
        raise ComputationError("22012", "division by zero")
    return pc.divide(left, right)


def _in_range(result: pa.Array, left: pa.Array, right: pa.Array) -> pa.Array:
    """``result`` of finite ``left`` and ``right``, which must be finite; an exp() or power() is never zero."""
    values = _numpy(result)
    finite = np.isfinite(_numpy(left)) & np.isfinite(_numpy(right))
    if np.any(np.isinf(values) & finite):
        raise ComputationError("22003", "value out of range: overflow")
    if np.any((values == 0) & finite & (_numpy(left) != 0)):
        raise ComputationError("22003", "value out of range: underflow")
    return result


def _real(values: pa.Array) -> pa.Array:
    doubles = _numpy(values)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        reals = doubles.astype(np.float32)
    if np.any(np.isinf(reals) & np.isfinite(doubles)):
        raise ComputationError("22003", "value out of range: overflow")
    if np.any((reals == 0) & (doubles != 0)):
        raise ComputationError("22003", "value out of range: underflow")
    return pa.array(reals, mask=values.is_null().to_numpy(zero_copy_only=False))


def _of_logarithm(values: pa.Array) -> pa.Array:
    doubles = _numpy(values)
    if np.any(doubles == 0):
        raise ComputationError("2201E", "cannot take logarithm of zero")
    if np.any(doubles < 0):
        raise ComputationError("2201E", "cannot take logarithm of a negative number")
    return values


def _of_root(values: pa.Array) -> pa.Array:
    if np.any(_numpy(values) < 0):
        raise ComputationError("2201F", "cannot take square root of a negative number")
    return values


def _of_arc(values: pa.Array) -> pa.Array:
    if np.any(np.abs(_numpy(values)) > 1):
        raise ComputationError("22003", "input is out of range")
    return values


def _code(values: pa.Array) -> pa.Array:
    if pc.any(pc.less_equal(values, 0)).as_py():
        raise ComputationError("54000", "null character not permitted")
    return values


def _base(values: pa.Array, exponents: pa.Array) -> pa.Array:
    base, exponent = _numpy(values), _numpy(exponents)
    if np.any((base == 0) & (exponent < 0)):
        raise ComputationError("2201F", "zero raised to a negative power is undefined")
    if np.any((base < 0) & np.isfinite(exponent) & (np.floor(exponent) != exponent)):
        raise ComputationError("2201F", "a negative number raised to a non-integer power yields a complex result")
    return values


def _quotient(scale: int) -> Callable[[pa.Array, pa.Array], pa.Array]:
    unit = Decimal(1).scaleb(-scale)

    def one(dividend: str | None, divisor: str | None) -> Decimal | None:
        if dividend is None or divisor is None:
            return None
        by = Decimal(divisor)
        if not by:
            raise ComputationError("22012", "division by zero")
        found = _EXACT.divide(Decimal(dividend), by).quantize(unit, ROUND_HALF_UP, _EXACT)
        if found.adjusted() >= _PRECISION - scale and found:
            raise ComputationError("22003", "value overflows numeric format")
        return found

    def evaluate(dividends: pa.Array, divisors: pa.Array) -> pa.Array:
        pairs = zip(dividends.to_pylist(), divisors.to_pylist(), strict=True)
        return pa.array([one(a, b) for a, b in pairs], pa.decimal128(_PRECISION, scale))

    return evaluate


def definitions() -> list[tuple[Any, list[pa.DataType], pa.DataType, str]]:
    """(function, arguments, result, name) of each."""
    made: list[tuple[Any, list[pa.DataType], pa.DataType, str]] = []
    operations = {"add": pc.add, "subtract": pc.subtract, "multiply": pc.multiply, "divide": _divide}
    for suffix, kind in FLOATS.items():
        for name, operation in operations.items():
            function = _checked(operation, shrinks=name in ("multiply", "divide"))
            made.append((function, [kind, kind], kind, f"con_{name}_{suffix}"))
    double, text = pa.float64(), pa.string()
    for scale in (WHOLE_SCALE, SCALE):
        made.append((_quotient(scale), [text, text], pa.decimal128(_PRECISION, scale), f"con_quotient_{scale}"))
    return [
        *made,
        (_in_range, [double, double, double], double, "con_in_range"),
        (_real, [double], pa.float32(), "con_real"),
        (_of_logarithm, [double], double, "con_of_logarithm"),
        (_of_root, [double], double, "con_of_root"),
        (_of_arc, [double], double, "con_of_arc"),
        (_code, [pa.int64()], pa.int64(), "con_code"),
        (_base, [double, double], double, "con_base"),
    ]
