"""Arrow arrays as the flat numpy arrays that the row codec writes out.

Every type comes down to one of three forms: 64-bit words, 128-bit decimals,
or runs of bytes. Slices, validity bitmaps and the rarer encodings end here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import DTypeLike, NDArray

from constellationdb.errors import FeatureNotSupported, LimitExceeded
from constellationdb.storage.kernels.memory import I64, U8, Bool

_ALL_VALID: Bool = np.zeros(0, np.bool_)
_LONGEST = 2**32 - 1
_NS_PER_DAY = 86_400_000_000_000
_NS_PER_UNIT = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
_INTERVAL = np.dtype([("months", "<i4"), ("days", "<i4"), ("nanos", "<i8")])


@dataclass(frozen=True, slots=True)
class Words:
    """One or two int64 a row. ``valid`` is empty when no row is NULL."""

    words: tuple[I64, ...]
    valid: Bool

    @property
    def width(self) -> int:
        return 8 * len(self.words)


@dataclass(frozen=True, slots=True)
class Decimals:
    """``raw`` holds (low, high) pairs, as Arrow does."""

    raw: I64
    scale: int
    valid: Bool

    @property
    def width(self) -> int:
        return 17


@dataclass(frozen=True, slots=True)
class Texts:
    """Row ``i`` is ``values[offsets[i]:offsets[i + 1]]``."""

    values: U8
    offsets: I64
    valid: Bool


Column = Words | Decimals | Texts


def unwrapped(array: pa.Array) -> pa.Array:
    """The same values without an encoding that only saves space."""
    while True:
        if isinstance(array, pa.ExtensionArray):
            array = array.storage
        elif pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        elif pa.types.is_run_end_encoded(array.type):
            array = pc.run_end_decode(array)
        else:
            return array


def column_of(array: pa.Array) -> Column:
    """The flat form of an unwrapped array that holds no arrays or structs."""
    for accepts, convert in _FORMS:
        if accepts(array.type):
            return convert(array)
    raise FeatureNotSupported(
        f"a value of type {array.type} cannot be a key", hint="cast it to text, or leave it out of the key"
    )


def valid_of(array: pa.Array) -> Bool:
    """One bool a row, or nothing at all when no row is NULL."""
    if array.null_count == 0:
        return _ALL_VALID
    bitmap = array.buffers()[0]
    if bitmap is None:  # an array of type null
        return np.zeros(len(array), np.bool_)
    return _bits(bitmap, array.offset, len(array))


def _bits(bitmap: pa.Buffer, offset: int, count: int) -> Bool:
    first = offset // 8
    packed = np.frombuffer(bitmap, np.uint8)[first : (offset + count + 7) // 8]
    skip = offset - first * 8
    return np.unpackbits(packed, bitorder="little")[skip : skip + count].view(np.bool_)


def _items(array: pa.Array, dtype: DTypeLike) -> NDArray[Any]:
    """The array's own part of its values buffer."""
    buffer, dtype = array.buffers()[1], np.dtype(dtype)
    if buffer is None:
        return np.zeros(len(array), dtype)
    return np.frombuffer(buffer, dtype, len(array), array.offset * dtype.itemsize)


def _integers(array: pa.Array) -> Column:
    values = _items(array, array.type.to_pandas_dtype())
    return Words((values.astype(np.int64, copy=False),), valid_of(array))


def _by_width(array: pa.Array) -> Column:
    """Dates, times and timestamps: their integer, whatever it counts."""
    values = _items(array, np.int32 if array.type.bit_width == 32 else np.int64)
    return Words((values.astype(np.int64, copy=False),), valid_of(array))


def _floats(array: pa.Array) -> Column:
    values = _items(array, array.type.to_pandas_dtype()).astype(np.float64)
    values += 0.0  # turns -0.0 into 0.0
    values[np.isnan(values)] = np.nan
    return Words((values.view(np.int64),), valid_of(array))


def _booleans(array: pa.Array) -> Column:
    bits = _bits(array.buffers()[1], array.offset, len(array)) if len(array) else _ALL_VALID
    return Words((bits.astype(np.int64),), valid_of(array))


def _nulls(array: pa.Array) -> Column:
    return Words((np.zeros(len(array), np.int64),), valid_of(array))


def _intervals(array: pa.Array) -> Column:
    """By their parts: 24 hours are another row than a day. What Postgres takes for equal, a plan says by a key."""
    parts = _items(array, _INTERVAL)
    dates = (parts["months"].astype(np.int64) << 32) | parts["days"].astype(np.uint32)
    return Words((dates, np.ascontiguousarray(parts["nanos"])), valid_of(array))


def _durations(array: pa.Array) -> Column:
    per_unit = _NS_PER_UNIT[array.type.unit]
    days, rest = np.divmod(_items(array, np.int64), _NS_PER_DAY // per_unit)
    return _days_and_nanos(days, rest * per_unit, valid_of(array))


def _days_and_nanos(days: I64, nanos: I64, valid: Bool) -> Column:
    carry, rest = np.divmod(nanos, _NS_PER_DAY)
    return Words((days + carry, rest), valid)


def _decimals(array: pa.Array) -> Column:
    if array.type.bit_width != 128:
        array = _narrowed(array)
    raw = np.zeros(2 * len(array), np.int64)
    if array.buffers()[1] is not None:
        raw = np.frombuffer(array.buffers()[1], np.int64, 2 * len(array), 16 * array.offset)
    return Decimals(raw, array.type.scale, valid_of(array))


def _narrowed(array: pa.Array) -> pa.Array:
    try:
        return array.cast(pa.decimal128(38, array.type.scale))
    except pa.ArrowInvalid as error:
        raise FeatureNotSupported(
            f"a value of type {array.type} does not fit the 38 digits of a numeric key",
            hint="cast it to numeric(38, s) with a smaller scale",
        ) from error


def _texts(array: pa.Array) -> Column:
    return _runs(array, np.int32)


def _large_texts(array: pa.Array) -> Column:
    return _runs(array, np.int64)


def _runs(array: pa.Array, offset_type: type[np.int32] | type[np.int64]) -> Column:
    _, ends, values = array.buffers()
    if ends is None or len(array) == 0:
        return Texts(np.zeros(0, np.uint8), np.zeros(len(array) + 1, np.int64), valid_of(array))
    width = np.dtype(offset_type).itemsize
    offsets = np.frombuffer(ends, offset_type, len(array) + 1, array.offset * width).astype(np.int64, copy=False)
    data = np.zeros(0, np.uint8) if values is None else np.frombuffer(values, np.uint8)
    return Texts(data, checked_runs(offsets), valid_of(array))


def checked_runs(offsets: I64) -> I64:
    """Offsets whose runs all have a length that four bytes can say."""
    if offsets[-1] - offsets[0] > _LONGEST and int(np.diff(offsets).max()) > _LONGEST:
        raise LimitExceeded("a key value is longer than 4 GB", hint="use a shorter value, such as its hash, as the key")
    return offsets


def _viewed(array: pa.Array) -> Column:
    return _large_texts(array.cast(pa.large_binary()))


_FORMS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.Array], Column]], ...] = (
    (pa.types.is_integer, _integers),
    (lambda t: pa.types.is_string(t) or pa.types.is_binary(t), _texts),
    (lambda t: pa.types.is_temporal(t) and not (pa.types.is_duration(t) or pa.types.is_interval(t)), _by_width),
    (pa.types.is_floating, _floats),
    (pa.types.is_decimal, _decimals),
    (pa.types.is_boolean, _booleans),
    (lambda t: pa.types.is_large_string(t) or pa.types.is_large_binary(t), _large_texts),
    (lambda t: pa.types.is_string_view(t) or pa.types.is_binary_view(t), _viewed),
    (pa.types.is_fixed_size_binary, _viewed),
    (pa.types.is_interval, _intervals),
    (pa.types.is_duration, _durations),
    (pa.types.is_null, _nulls),
)
