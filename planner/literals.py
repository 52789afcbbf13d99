"""Values as a client writes them, to Arrow columns: Postgres' input functions for the types we store.

``to_array`` takes what the parser found in VALUES (numbers, strings, booleans);
``parse_texts`` what COPY and parameters carry, all of it text.
"""

from __future__ import annotations

import binascii
import datetime
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, InvalidOperation, localcontext

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from constellationdb.catalog.text.array_literals import array_elements
from constellationdb.catalog.text.bytea import read_bytea
from constellationdb.catalog.text.zones import UTC_ZONE, Zone
from constellationdb.catalog.types import TEXT, of_arrow, of_field
from constellationdb.errors import (
    ConstellationError,
    DatatypeMismatch,
    InvalidDatetime,
    InvalidTextRepresentation,
    NumericOutOfRange,
)
from constellationdb.planner.analysis import kinds, texts

_EXACT_DIGITS = 400  # room for the longest number a double can be

_TRUE = frozenset({"t", "true", "y", "yes", "on", "1", "tr", "tru", "ye"})
_FALSE = frozenset({"f", "false", "n", "no", "off", "0", "fa", "fal", "fals", "of"})


def to_array(values: Sequence[object], field: pa.Field, zone: Zone = UTC_ZONE) -> pa.Array:
    """A column from Python values; strings are read as the type's text form. Errors name the ``field``.

    ``zone``: of a timestamptz without an offset.
    """
    kind, column, carried = field.type, field.name, of_field(field)
    if carried.arrow == pa.string() and carried != TEXT:
        for value in values:
            if value is not None and not isinstance(value, str):
                raise wrong_type(column, carried.name, _python_type(value))
    if carried.is_made and all(value is None or isinstance(value, str) for value in values):
        from constellationdb.planner.records import read_values

        return read_values(values, carried, zone)  # type: ignore[arg-type]
    if any(isinstance(v, str) for v in values) and not pt.is_string(kind):
        return pa.concat_arrays([_one(v, kind, column, zone) for v in values])
    try:
        return _direct(values, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, InvalidOperation, ValueError):
        for value in values:
            _one(value, kind, column, zone)
        raise


def _one(value: object, kind: pa.DataType, column: str, zone: Zone) -> pa.Array:
    if isinstance(value, str):
        return parse_texts([value], kind, zone)
    try:
        return _direct([value], kind)
    except (OverflowError, InvalidOperation):
        raise NumericOutOfRange(f"{of_arrow(kind).name} out of range") from None
    except (pa.ArrowInvalid, pa.ArrowTypeError, ValueError) as error:
        if isinstance(value, int | float | Decimal) and not isinstance(value, bool) and _is_number(kind):
            raise NumericOutOfRange(f"{_numeric_name(kind)} out of range", detail=str(error)) from None
        raise wrong_type(column, of_arrow(kind).name, _python_type(value)) from None


def wrong_type(column: str, wanted: str, found: str, what: str = "expression") -> DatatypeMismatch:
    """The error for an expression that its column does not take."""
    return DatatypeMismatch(
        f'column "{column}" is of type {wanted} but {what} is of type {found}',
        hint="You will need to rewrite or cast the expression.",
    )


def _numeric_name(kind: pa.DataType) -> str:
    return "numeric field" if pt.is_decimal(kind) else of_arrow(kind).name


def _is_number(kind: pa.DataType) -> bool:
    return bool(pt.is_integer(kind) or pt.is_floating(kind) or pt.is_decimal(kind))


def _python_type(value: object) -> str:
    return {bool: "boolean", int: "integer", Decimal: "numeric", float: "double precision"}.get(type(value), "text")


def _direct(values: Sequence[object], kind: pa.DataType) -> pa.Array:
    if pt.is_string(kind):
        return pa.array([None if v is None else _shown(v) for v in values], kind)
    if pt.is_integer(kind):
        return pa.array([_integer(v) for v in values], kind)
    if pt.is_floating(kind):
        return pa.array([None if v is None else float(v) for v in values], kind)  # type: ignore[arg-type]
    if pt.is_decimal(kind):
        return pa.array([_decimal(v, kind) for v in values], kind)
    if pt.is_list(kind):
        return pa.array([None if v is None else _direct(v, kind.value_type).to_pylist() for v in values], kind)  # type: ignore[arg-type]
    return pa.array(list(values), kind)


def _shown(value: object) -> str:
    """A constant stored in a text column."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _integer(value: object) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, Decimal | float):
        # A numeric rounds a half away from zero, a double to the even side.
        return int(Decimal(value).to_integral_value(ROUND_HALF_EVEN if isinstance(value, float) else ROUND_HALF_UP))
    raise ValueError("not a number")


def _decimal(value: object, kind: pa.DataType) -> Decimal | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError("not a number")
    exact = value if isinstance(value, Decimal) else Decimal(value)
    return _fitted(exact, kind) if exact.is_finite() else exact


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
    missing = pa.array([found is None for found in lists])
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
    if _is_number(kind) and ("_" in text or not text.isascii()):  # Python reads them as digits
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
        texts.check_float(text, of_arrow(kind).name, None)
        return float(text)
    if pt.is_decimal(kind):
        return _text_decimal(text, kind)
    if pt.is_timestamp(kind):
        return _timestamp(text, kind, zone)
    if pt.is_date(kind):
        return datetime.date.fromisoformat(texts.moment(text, kinds.DATE, None)[:10])
    if pt.is_time(kind):
        return datetime.time.fromisoformat(text)
    if pt.is_interval(kind):
        from constellationdb.planner.syntax.spans import parse_span

        months, days, micros = parse_span(text)
        return pa.MonthDayNano([months, days, micros * 1000])
    raise ValueError(text)


def _text_decimal(text: str, kind: pa.DataType) -> Decimal:
    exact = Decimal(text)
    if not exact.is_finite():
        raise NumericOutOfRange(f'numeric value "{text}" cannot be stored')
    return _fitted(exact, kind)


def _fitted(exact: Decimal, kind: pa.DataType) -> Decimal:
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
        return texts.instant_us(text, zone, None)
    text = texts.moment(text, of_arrow(kind).name, None)
    moment = datetime.datetime.fromisoformat(text)
    if kind.tz is None:
        return moment.replace(tzinfo=None)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=datetime.UTC)
