"""float4 and float8 as Postgres 12+ prints them: the shortest digits that read back as the same number.

Two things differ from ``repr``. The exponent form begins at 1e15 (1e6 for
float4), and Postgres' Ryu never answers with a decimal that lies exactly half
way between two floats, where ``repr`` trusts the reader to round to even.
"""

from __future__ import annotations

from decimal import Decimal
from math import frexp, isfinite, isinf, isnan

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Floats = npt.NDArray[np.float32] | npt.NDArray[np.float64]

_DOUBLE_FIXED_DIGITS, _SINGLE_FIXED_DIGITS = 15, 6
# Half-way decimals exist only where the spacing of floats is a whole number; beyond this none has few enough digits.
_HALFWAY_END = 1e40


def float8_text(array: pa.Array) -> pa.Array:
    return _patched(array, 1e10, double_text)


def float4_text(array: pa.Array) -> pa.Array:
    return _patched(array, 1e6, single_text)


def rounded_text(array: pa.Array, extra_digits: int) -> pa.Array:
    """With extra_float_digits of 0 or less: at most 15 digits (6 of a float4) and so many fewer, as C's ``%g``."""
    single = pa.types.is_float32(array.type) or pa.types.is_float16(array.type)
    digits = max((6 if single else 15) + extra_digits, 1)
    return pa.array([None if v is None else rounded(v, digits) for v in array.to_pylist()], pa.binary())


def rounded(value: float, digits: int) -> bytes:
    return f"{value:.{digits}g}".encode() if isfinite(value) else double_text(value).encode()


def _patched(array: pa.Array, fixed_end: float, text_of: object) -> pa.Array:
    """Arrow's own digits where they are Postgres' (zero and the middle magnitudes), ours for the rest."""
    assert callable(text_of)
    text = array.cast(pa.string())
    values = array.fill_null(0.0).to_numpy(zero_copy_only=False)
    with np.errstate(invalid="ignore"):
        magnitude = np.abs(values)
        odd = ~(((magnitude >= 1e-4) & (magnitude < fixed_end)) | (magnitude == 0))
    if not odd.any():
        return text.cast(pa.binary())
    replacement = pa.array([text_of(value) for value in values[odd]], pa.string())
    return pc.replace_with_mask(text, pa.array(odd), replacement).cast(pa.binary())


def double_text(value: float) -> str:
    value = float(value)
    if 1e-4 <= abs(value) < 1e15:
        return repr(value).removesuffix(".0")
    if isnan(value):
        return "NaN"
    if isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    shortest = repr(value)
    if 2.0**53 <= abs(value) < _HALFWAY_END:
        shortest = _strictly_nearest(shortest, value, int(np.spacing(abs(value))))
    return _layout(Decimal(shortest), _DOUBLE_FIXED_DIGITS)


def single_text(value: np.float32) -> str:
    number = float(value)
    if isnan(number) or isinf(number):
        return double_text(number)
    shortest = np.format_float_scientific(value, unique=True)
    if 2.0**24 <= abs(number) < _HALFWAY_END:
        shortest = _strictly_nearest(shortest, number, 1 << (frexp(number)[1] - 24))
    return _layout(Decimal(shortest), _SINGLE_FIXED_DIGITS)


def _strictly_nearest(shortest: str, value: float, spacing: int) -> str:
    """The first of ever longer decimals that is closer to ``value`` than to any other float."""
    exact, text, digits = int(value), shortest, len(Decimal(shortest).normalize().as_tuple().digits)
    while not _is_inside(text, exact, spacing):
        digits += 1
        text = f"{value:.{digits - 1}e}"
    return text


def _is_inside(text: str, exact: int, spacing: int) -> bool:
    """``spacing`` is the gap away from zero; the one towards it is half as wide at a power of two."""
    printed, exact = abs(int(Decimal(text))), abs(exact)
    towards_zero = printed < exact and exact & (exact - 1) == 0
    return 2 * abs(printed - exact) < (spacing // 2 if towards_zero else spacing)


def _layout(decimal: Decimal, fixed_digits: int) -> str:
    sign, digit_tuple, _ = decimal.as_tuple()
    digits = "".join(map(str, digit_tuple)).rstrip("0")
    if not digits:
        return "-0" if sign else "0"
    exponent = decimal.adjusted()
    minus = "-" if sign else ""
    if not -4 <= exponent < fixed_digits:
        fraction = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{minus}{digits[0]}{fraction}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    if exponent < 0:
        return f"{minus}0.{'0' * (-exponent - 1)}{digits}"
    if len(digits) <= exponent + 1:
        return minus + digits.ljust(exponent + 1, "0")
    return f"{minus}{digits[: exponent + 1]}.{digits[exponent + 1 :]}"
