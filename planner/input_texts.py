"""Texts to Arrow columns: Postgres' input functions for the types we store, as COPY and parameters carry them."""

from __future__ import annotations

import binascii
import datetime
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, localcontext

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from constellationdb.catalog.text.array_literals import array_elements
from constellationdb.catalog.text.bytea import read_bytea
from constellationdb.catalog.text.zones import UTC_ZONE, Zone
from constellationdb.catalog.types import DATE, of_arrow
from constellationdb.errors import (
    ConstellationError,
    InvalidDatetime,
    InvalidTextRepresentation,
    NumericOutOfRange,
)
from constellationdb.planner.scalar_texts import check_float, instant_us, moment
from constellationdb.planner.syntax.spans import parse_span

_EXACT_DIGITS = 400  # room for the longest number a double can be

_TRUE = frozenset({"t", "true", "y", "yes", "on", "1", "tr", "tru", "ye"})
_FALSE = frozenset({"f", "false", "n", "no", "off", "0", "fa", "fal", "fals", "of"})


def is_number(kind: pa.DataType) -> bool:
    return bool(pt.is_integer(kind) or pt.is_floating(kind) or pt.is_decimal(kind))


def parse_texts(texts: Sequence[str | None], kind: pa.DataType, zone: Zone = UTC_ZONE) -> pa.Array:
    """A column from text, as Postgres reads it; the error names the first text that does not fit."""
    if pt.is_string(kind):
        return pa.array(texts, kind)
    if pt.is_list(kind):
        return _parse_lists(texts, kind, zone)
    try:
        fast = _parse_fast(texts, kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        fast = None
    if fast is not None:
        return fast
    return pa.array([None if t is None else _parse(t, kind, zone) for t in texts], kind)


def _parse_lists(texts: Sequence[str | None], kind: pa.DataType, zone: Zone) -> pa.Array:
    """Arrays: all their elements are read as one column."""
    lists = [None if text is None else array_elements(text) for text in texts]
    elements = parse_texts([element for found in lists for element in found or ()], kind.value_type, zone)
    offsets = [0]
    for found in lists:
        offsets.append(offsets[-1] + len(found or ()))
    missing = pa.array([found is None for found in lists], pa.bool_())
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), elements, mask=missing).cast(kind)


def _parse_fast(texts: Sequence[str | None], kind: pa.DataType) -> pa.Array | None:
    """Arrow's own parser, for the types where it agrees with Postgres on all it accepts."""
    if not (pt.is_integer(kind) or pt.is_date(kind) or (pt.is_timestamp(kind) and kind.tz is None)):
        return None
    if pt.is_temporal(kind) and any(text is not None and text.startswith("0000") for text in texts):
        return None  # there is no year 0
    return pc.cast(pa.array(texts, pa.string()), kind)


def _parse(text: str, kind: pa.DataType, zone: Zone) -> object:
    if pt.is_binary(kind):
        return read_bytea(text)
    stripped = text.strip()
    try:
        return _parsed(stripped, kind, zone)
    except ConstellationError:
        raise
    except (ValueError, InvalidOperation, binascii.Error):
        name = of_arrow(kind).name.removesuffix(" without time zone")
        if pt.is_temporal(kind):
            raise InvalidDatetime(f'invalid input syntax for type {name}: "{text}"') from None
        if pt.is_decimal(kind):
            name = "numeric"
        raise InvalidTextRepresentation(f'invalid input syntax for type {name}: "{text}"') from None


def _parsed(text: str, kind: pa.DataType, zone: Zone) -> object:
    if pt.is_boolean(kind):
        if text.lower() in _TRUE:
            return True
        if text.lower() in _FALSE:
            return False
        raise ValueError(text)
    if is_number(kind) and ("_" in text or not text.isascii()):  # Python reads them as digits
        raise ValueError(text)
    if (pt.is_integer(kind) or pt.is_decimal(kind)) and ("_" in text or not text.isascii()):
        raise ValueError(text)  # Python reads more than Postgres does
    if pt.is_integer(kind):
        value = int(text)
        bits = kind.bit_width - 1
        if not -(1 << bits) <= value < 1 << bits:
            raise NumericOutOfRange(f'value "{text}" is out of range for type {of_arrow(kind).name}')
        return value
    if pt.is_floating(kind):
        check_float(text, of_arrow(kind).name, None)
        return float(text)
    if pt.is_decimal(kind):
        return _text_decimal(text, kind)
    if pt.is_timestamp(kind):
        return _timestamp(text, kind, zone)
    if pt.is_date(kind):
        return datetime.date.fromisoformat(moment(text, DATE.name, None)[:10])
    if pt.is_time(kind):
        return datetime.time.fromisoformat(text)
    if pt.is_interval(kind):
        months, days, micros = parse_span(text)
        return pa.MonthDayNano([months, days, micros * 1000])
    raise ValueError(text)


def _text_decimal(text: str, kind: pa.DataType) -> Decimal:
    exact = Decimal(text)
    if not exact.is_finite():
        raise NumericOutOfRange(f'numeric value "{text}" cannot be stored')
    return fitted_decimal(exact, kind)


def fitted_decimal(exact: Decimal, kind: pa.DataType) -> Decimal:
    """Rounded to the column's scale; it must not have more digits than the column."""
    with localcontext(prec=_EXACT_DIGITS):
        rounded = exact.quantize(Decimal(1).scaleb(-kind.scale), ROUND_HALF_UP)
    if len(rounded.as_tuple().digits) > kind.precision:
        raise NumericOutOfRange(
            "numeric field overflow",
            detail=f"A field with precision {kind.precision}, scale {kind.scale} must round to an absolute value"
            f" less than 10^{kind.precision - kind.scale}.",
        )
    return rounded


def _timestamp(text: str, kind: pa.DataType, zone: Zone) -> object:
    if kind.tz is not None and zone is not UTC_ZONE:
        return instant_us(text, zone, None)
    text = moment(text, of_arrow(kind).name, None)
    found = datetime.datetime.fromisoformat(text)
    if kind.tz is None:
        return found.replace(tzinfo=None)
    return found if found.tzinfo is not None else found.replace(tzinfo=datetime.UTC)
