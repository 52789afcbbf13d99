"""Which aggregate calls have accumulators, and what comes out of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import pyarrow as pa
import pyarrow.types as pt
from substrait.proto import AggregateFunction, AggregateRel

from constellationdb.planner import plan, python_functions
from constellationdb.planner.lower.stream import Stream

# What DataFusion calls differently; any value will do for any_value.
_KINDS = {
    "any_value": "min",
    "var": "var_samp",
    "var_sample": "var_samp",
    "stddev": "stddev_samp",
    "covar": "covar_samp",
}
_SPREADS = ("var_samp", "var_pop", "stddev_samp", "stddev_pop")
_PAIRS = ("covar_samp", "covar_pop", "corr", "regr_count", "regr_avgx", "regr_avgy", "regr_sxx", "regr_syy", "regr_sxy",
          "regr_r2", "regr_slope", "regr_intercept")  # fmt: skip
_BITS = ("bit_and", "bit_or", "bit_xor")
# Measures that a value given twice does not change.
_IDEMPOTENT = ("min", "max", "bool_and", "bool_or", "bit_and", "bit_or")


@dataclass(frozen=True)
class Call:
    """One measure after its arguments became columns of the pre-projection."""

    name: str
    measure: AggregateRel.Measure
    columns: tuple[int, ...]
    filter: int
    narrow: bool  # an integer narrower than bigint before DataFusion widened it
    row: bool  # the columns are the fields of one argument, a row


def accumulated(stream: Stream, call: Call, *, append_only: bool) -> tuple[plan.Measure, pa.DataType] | None:
    """The measure that serves a call, with its output type; None when there is no accumulator for it."""
    function = call.measure.measure
    if call.name.startswith(python_functions.RETRACTING):
        first, *more = call.columns or (-1,)
        kept = plan.Measure("python", first, call.filter, more=tuple(more), function=call.name)
        return kept, python_functions.retracting(call.name).result
    kind = _KINDS.get(call.name, call.name)
    if kind not in get_args(plan.MeasureKind) or function.sorts:
        return None
    types = [stream.schema.field(column).type for column in call.columns]
    if call.row:
        output = pa.int64() if kind == "count" and len(types) > 1 else None
    elif len(types) == 2:
        output = _of_pair(kind, types)
    else:
        output = _output(kind, types[0] if types else None, call.narrow)
    if output is None:
        return None
    distinct = function.invocation == AggregateFunction.AGGREGATION_INVOCATION_DISTINCT and kind not in _IDEMPOTENT
    if kind in ("min", "max"):
        distinct = not (append_only and _is_word(types[0]))
    if call.row and not distinct:  # a row is never NULL, whatever its fields are
        return plan.Measure("count", -1, call.filter), output
    first, *more = call.columns or (-1,)
    return plan.Measure(kind, first, call.filter, distinct, tuple(more)), output  # type: ignore[arg-type]


def _of_pair(kind: str, types: list[pa.DataType]) -> pa.DataType | None:
    if kind not in _PAIRS or not all(_is_double(t) for t in types):
        return None
    return pa.int64() if kind == "regr_count" else pa.float64()


def _output(kind: str, argument: pa.DataType | None, narrow: bool) -> pa.DataType | None:
    if kind == "count":
        return pa.int64()
    if argument is None:
        return None
    integer = pt.is_signed_integer(argument)
    match kind:
        case "sum" if integer:
            return pa.int64() if narrow or argument != pa.int64() else pa.decimal128(38, 0)
        case "sum" if pt.is_decimal128(argument):
            return pa.decimal128(38, argument.scale)
        case "sum" if argument == pa.float64():
            return pa.float64()
        case "avg" if integer or argument == pa.float64():
            return pa.float64()
        case "min" | "max" if _is_ordered(argument):
            return argument
        case "bool_and" | "bool_or" if argument == pa.bool_():
            return argument
        case _ if kind in _BITS and integer:
            return argument
        case _ if kind in _SPREADS and _is_double(argument):
            return pa.float64()
        case _:
            return None


def computes_doubles(name: str) -> bool:
    """Whether an aggregate takes its arguments as doubles, integers too."""
    kind = _KINDS.get(name, name)
    return kind == "avg" or kind in _SPREADS or kind in _PAIRS


def _is_double(kind: pa.DataType) -> bool:
    """A double, or an integer that the accumulator makes one."""
    return kind == pa.float64() or bool(pt.is_signed_integer(kind))


def _is_word(kind: pa.DataType) -> bool:
    simple = pt.is_signed_integer(kind) or kind in (pa.float64(), pa.float32(), pa.date32())
    return bool(simple or pt.is_timestamp(kind))


def _is_ordered(kind: pa.DataType) -> bool:
    """Whether a multiset can keep values of a type in order."""
    return _is_word(kind) or bool(pt.is_decimal128(kind) or pt.is_string(kind) or pt.is_large_string(kind))
