"""Values as a client writes them, to Arrow columns: Postgres' input functions for the types we store.

``to_array`` takes what the parser found in VALUES (numbers, strings, booleans);
``parse_texts`` what COPY and parameters carry, all of it text.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, InvalidOperation

import pyarrow as pa
import pyarrow.types as pt

from constellationdb.catalog.text.zones import UTC_ZONE, Zone
from constellationdb.catalog.types import TEXT, of_arrow, of_field
from constellationdb.errors import (
    DatatypeMismatch,
    NumericOutOfRange,
)
from constellationdb.planner.input_texts import fitted_decimal, is_number, parse_texts
from constellationdb.planner.records import read_values


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
        if isinstance(value, int | float | Decimal) and not isinstance(value, bool) and is_number(kind):
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
    return fitted_decimal(exact, kind) if exact.is_finite() else exact
