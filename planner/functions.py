"""Functions DataFusion lacks or gets wrong: checked arithmetic with Postgres' errors.

Each is registered under a ``con_`` name; the ``arithmetic`` pass puts them in
place of DataFusion's wrapping operators. An error travels through DataFusion as
text, so it is raised as ``CON[sqlstate]message[/CON]`` and recognised by ``translate``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datafusion import SessionContext, udf

from constellationdb import errors
from constellationdb.planner import (
    array_orders,
    interval_functions,
    jsonb_functions,
    jsonpath_functions,
    map_functions,
    math_functions,
    moment_functions,
    record_functions,
    regex_functions,
    row_functions,
    text_functions,
    zone_functions,
)
from constellationdb.planner.frame import MARKS
from constellationdb.planner.raising import ComputationError

_INTEGERS = {"i16": (pa.int16(), "smallint"), "i32": (pa.int32(), "integer"), "i64": (pa.int64(), "bigint")}
SUFFIX_OF = {pa.int16(): "i16", pa.int32(): "i32", pa.int64(): "i64", pa.float32(): "f32", pa.float64(): "f64"}

_MARK = re.compile(r"CON\[(\w{5})\](.*?)\[/CON\]", re.DOTALL)


def _checked(operation: Callable[..., pa.Array], type_name: str) -> Callable[..., pa.Array]:
    def evaluate(*arguments: pa.Array) -> pa.Array:
        try:
            return operation(*arguments)
        except pa.ArrowInvalid as error:
            if "zero" in str(error):
                raise ComputationError("22012", "division by zero") from None
            raise ComputationError("22003", f"{type_name} out of range") from None

    return evaluate


def _modulus(left: pa.Array, right: pa.Array) -> pa.Array:
    valid = pc.and_(left.is_valid(), right.is_valid())
    mask = valid.to_numpy(zero_copy_only=False)
    numerator = pc.fill_null(left, 0).to_numpy(zero_copy_only=False)
    divisor = pc.fill_null(right, 1).to_numpy(zero_copy_only=False)
    if np.any((divisor == 0) & mask):
        raise ComputationError("22012", "division by zero")
    # fmod truncates as Postgres does; -1 is spared because min % -1 traps.
    safe = np.where((divisor == 0) | (divisor == -1), 1, divisor)
    return pa.array(np.fmod(numerator, safe).astype(numerator.dtype), mask=~mask, type=left.type)


_REST = np.int64(np.iinfo(np.int64).max)  # every bit but the sign


def _rank(values: pa.Array) -> pa.Array:
    """Doubles as integers in Postgres' order: -inf … -0 = 0 … inf, NaN."""
    doubles = pc.fill_null(values, 0.0).to_numpy(zero_copy_only=False) + 0.0
    bits = np.where(np.isnan(doubles), np.nan, doubles).view(np.int64)
    return pa.array(np.where(bits < 0, bits ^ _REST, bits), mask=values.is_null().to_numpy(zero_copy_only=False))


def _canonical(values: pa.Array) -> pa.Array:
    """One NaN, one zero."""
    whole = pc.add(values, pa.scalar(0.0, values.type))
    return pc.if_else(pc.is_nan(whole), pa.scalar(np.nan, values.type), whole)


def _itself(values: pa.Array) -> pa.Array:
    return values


def _unrun(*_: pa.Array) -> pa.Array:
    raise ComputationError("XX000", "a condition in time was not recognised")


def _uncomputed(*_: pa.Array) -> pa.Array:
    raise ComputationError(
        "0A000",
        "a GROUPS or RANGE frame with an offset, or one with EXCLUDE, is not supported together with"
        " what else is in this query",
    )


def _unrank(values: pa.Array) -> pa.Array:
    ranks = pc.fill_null(values, 0).to_numpy(zero_copy_only=False)
    doubles = np.where(ranks < 0, ranks ^ _REST, ranks).view(np.float64)
    return pa.array(doubles, mask=values.is_null().to_numpy(zero_copy_only=False))


def register(context: SessionContext) -> None:
    """Make every ``con_`` function known to ``context``."""
    for function in _functions():
        context.register_udf(function)


@cache
def _functions() -> list[Any]:
    """The functions themselves belong to no context, and making them takes longer than registering them."""
    made: list[Any] = []
    binary = {
        "add": pc.add_checked, "subtract": pc.subtract_checked,
        "multiply": pc.multiply_checked, "divide": pc.divide_checked, "modulus": _modulus,
    }  # fmt: skip
    for suffix, (kind, shown) in _INTEGERS.items():
        for name, operation in binary.items():
            made.append(udf(_checked(operation, shown), [kind, kind], kind, "immutable", f"con_{name}_{suffix}"))
        made.append(udf(_checked(pc.negate_checked, shown), [kind], kind, "immutable", f"con_negate_{suffix}"))
    for suffix, kind in math_functions.FLOATS.items():
        made.append(udf(_canonical, [kind], kind, "immutable", f"con_canonical_{suffix}"))
    made.append(udf(_rank, [pa.float64()], pa.int64(), "immutable", "con_rank_f64"))
    made.append(udf(_unrank, [pa.int64()], pa.float64(), "immutable", "con_unrank_f64"))
    # Does nothing, volatile so that it stays where it stands: see planner.interruption.
    made.append(udf(_itself, [pa.bool_()], pa.bool_(), "volatile", "con_passing"))
    # Stands for a frame until ``planner.lower.framing`` has read it; volatile, for DataFusion drops what is constant.
    for carrier, kind in {"bigint": pa.int64(), "text": pa.string(), "interval": interval_functions.INTERVAL}.items():
        made.append(udf(_uncomputed, [pa.string(), kind, kind], pa.string(), "volatile", MARKS[carrier]))
    # Never run: they keep a join's condition together, for the lowering to find (planner.rewrite.asof).
    for kind in ("inner", "left", "inner_nearest", "left_nearest"):
        made.append(udf(_unrun, [pa.bool_(), pa.bool_()], pa.bool_(), "immutable", f"con_asof_{kind}"))
    for operator in (
        "gt",
        "gte",
        "lt",
        "lte",
    ):  # … and a condition on the clock (rewrite.temporal_filters)
        moment = pa.timestamp("us", "UTC")
        made.append(udf(_unrun, [moment, pa.string()], pa.bool_(), "immutable", f"con_clock_{operator}"))
    defined = [*interval_functions.definitions(), *text_functions.definitions(), *math_functions.definitions()]
    defined += [*row_functions.definitions(), *zone_functions.definitions(), *jsonb_functions.definitions()]
    defined += [
        *jsonpath_functions.definitions(),
        *regex_functions.definitions(),
        *record_functions.definitions(),
        *map_functions.definitions(),
        *array_orders.definitions(),
        *moment_functions.definitions(),
    ]
    made += [udf(f, arguments, kind, "immutable", name) for f, arguments, kind, name in defined]
    return made


_TEXTS: tuple[tuple[re.Pattern[str], type[errors.ConstellationError], str], ...] = (
    (re.compile(r"field position must not be zero"), errors.InvalidParameter, "field position must not be zero"),
    (re.compile(r"negative count not allowed|negative substring length"), errors.InvalidSubstring,
     "negative substring length not allowed"),
    (re.compile(r"to grouping function is not in grouping columns"), errors.GroupingError,
     "arguments to GROUPING must be grouping expressions of the associated query level"),
    (re.compile(r"(?:Month|Day|Year) value '.*' is out of range"), errors.DatetimeOverflow,
     "date field value out of range"),
    (re.compile(r"[Dd]ivide by zero"), errors.DivisionByZero, "division by zero"),
    (re.compile(r"[Oo]verflow|out of range|not in range|too large to store|Can't cast value"), errors.NumericOutOfRange,
     "value out of range"),
    (re.compile(r"[Ee]rror parsing timestamp|Error parsing date|[Ii]nvalid timezone"), errors.InvalidDatetime,
     "invalid date or time"),
)  # fmt: skip
# A plan is completed only when it is run: what cannot be is no fault of a row.
_UNPLANNED = re.compile(
    r"Error during planning|feature is not implemented|[Uu]nsupported|Invalid \(non-executable\) plan|Substrait error"
    r"|Internal error|type_coercion|no kernel matching|must be (?:a )?(?:non-null )?(?:scalar|literal|constant)"
    r"|Expected a .* literal|Cannot convert Null"
    r"|Schema error|does not support: |must match schema types"
)
_REGEX = re.compile(r"regex parse error:[\s\S]*?error: (.+)")
_DIGITS = re.compile(r"too large to store in a Decimal\d+ of precision (\d+)\. Max is (\S+)")
_NO_DAY = re.compile(r"Unable to parse date from (-?\d+), (-?\d+), (-?\d+)")
_OVERFLOW = re.compile(r"Can't cast value \S+ to type (\w+)|is out of range (\w+)")
_SPAN = re.compile(r'[Ii]nvalid input syntax for type interval: "(.*?)"')
_CAST = re.compile(r"Cannot cast (?:string|value) ['\"](.*?)['\"] to value of (.+?) type")
_DATETIME = re.compile(r"Error parsing (timestamp|date) from '(.*?)'")
_TYPE_NAMES = {
    "Int16": "smallint", "Int32": "integer", "Int64": "bigint", "Float32": "real", "Float64": "double precision",
    "Boolean": "boolean", "Date32": "date",
}  # fmt: skip
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
_WHOLE = frozenset({"Int16", "Int32", "Int64"})
_BY_STATE: dict[str, type[errors.ConstellationError]] = {
    kind.sqlstate: kind
    for kind in (
        errors.DatetimeOverflow,
        errors.DivisionByZero,
        errors.ExternalRoutineError,
        errors.NumericOutOfRange,
        errors.CardinalityViolation,
        errors.InvalidDatetime,
        errors.InvalidFrameSize,
        errors.InvalidNthValueArgument,
        errors.InvalidNtileArgument,
        errors.InvalidLimit,
        errors.InvalidLogarithm,
        errors.InvalidOffset,
        errors.InvalidPower,
        errors.InvalidRegularExpression,
        errors.InvalidSubstring,
        errors.InvalidParameter,
        errors.NullNotAllowed,
        errors.InvalidTextRepresentation,
        errors.AmbiguousFunction,
        errors.ObjectNotReady,
        errors.ReadOnlyTransaction,
        errors.SequenceLimit,
        errors.UndefinedColumn,
        errors.UndefinedDatabase,
        errors.UndefinedFunction,
        errors.UndefinedObject,
        errors.UndefinedRelation,
        errors.UndefinedSchema,
        errors.WrongObjectType,
        errors.ProgramLimitExceeded,
        errors.FeatureNotSupported,
        errors.SqlSyntaxError,
        errors.NullNotAllowed,
        errors.InvalidJsonSubscript,
        errors.NonNumericJsonItem,
        errors.SingletonJsonItemRequired,
        errors.JsonArrayNotFound,
        errors.JsonMemberNotFound,
        errors.JsonNumberNotFound,
    )
}


_REGEX_ERRORS = (
    ("group", "parentheses () not balanced"), ("character class", "brackets [] not balanced"),
    ("repetition operator missing", "quantifier operand invalid"), ("escape", "invalid escape \\ sequence"),
    ("repetition", "invalid repetition count(s)"),
)  # fmt: skip


def _bad_regex(text: str) -> errors.ConstellationError:
    """What the engine of regular expressions says, in Postgres' words."""
    if "backreferences" in text or "look-around" in text:
        return errors.FeatureNotSupported(f"this regular expression is not supported: {text}")
    said = next((said for word, said in _REGEX_ERRORS if word in text), text)
    return errors.InvalidRegularExpression(f"invalid regular expression: {said}")


def _numeric_overflow(precision: int, greatest: str) -> errors.ConstellationError:
    scale = len(greatest.partition(".")[2])
    return errors.NumericOutOfRange(
        "numeric field overflow",
        detail=f"A field with precision {precision}, scale {scale} must round to an absolute value less than"
        f" {'10^' if precision > scale else ''}{precision - scale or 1}.",
    )


def translate(error: BaseException) -> errors.ConstellationError:
    """The Postgres error behind what DataFusion or Arrow raised while it computed rows."""
    if isinstance(error, errors.ConstellationError):
        return error
    text = str(error)
    if marked := _MARK.search(text):
        state, message = marked.group(1), marked.group(2).strip().replace('\\"', '"').replace("\\'", "'")
        return _BY_STATE.get(state, errors.DataException)(message)
    if overflow := _OVERFLOW.search(text):
        kind = _TYPE_NAMES.get(overflow.group(1) or overflow.group(2), "value")
        return errors.NumericOutOfRange(f"{kind} out of range")
    if "Scalar subquery returned more than one row" in text:
        return errors.CardinalityViolation("more than one row returned by a subquery used as an expression")
    if span := _SPAN.search(text):
        return errors.InvalidDatetime(f'invalid input syntax for type interval: "{span.group(1)}"')
    if cast := _CAST.search(text):
        if cast.group(2) in _WHOLE and re.fullmatch(r"\s*[+-]?\d+\s*", cast.group(1)):
            named = _TYPE_NAMES[cast.group(2)]
            return errors.NumericOutOfRange(f'value "{cast.group(1)}" is out of range for type {named}')
        if "Decimal" in cast.group(2) and _NUMBER.fullmatch(cast.group(1)):
            return errors.NumericOutOfRange("numeric field overflow", detail=text[:500])
        shown = _TYPE_NAMES.get(cast.group(2), "numeric" if "Decimal" in cast.group(2) else cast.group(2).lower())
        return errors.InvalidTextRepresentation(f'invalid input syntax for type {shown}: "{cast.group(1)}"')
    if stamp := _DATETIME.search(text):
        return errors.InvalidDatetime(f'invalid input syntax for type {stamp.group(1)}: "{stamp.group(2)}"')
    if regex := _REGEX.search(text):
        return _bad_regex(regex.group(1))
    if digits := _DIGITS.search(text):
        return _numeric_overflow(int(digits.group(1)), digits.group(2))
    if day := _NO_DAY.search(text):
        year, month, number = map(int, day.groups())
        return errors.DatetimeOverflow(f"date field value out of range: {year}-{month:02}-{number:02}")
    for pattern, raised, message in _TEXTS:
        if pattern.search(text):
            return raised(message, detail=text[:500])
    if _UNPLANNED.search(text):
        return errors.FeatureNotSupported("this query form is not supported", detail=text[:500])
    return errors.DataException("the row could not be computed", detail=text[:500])
