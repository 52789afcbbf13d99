"""Casts in Substrait form, where the checked types differ from those DataFusion planned with."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.types as pt
from substrait.proto import Expression, Type

from constellationdb.errors import DatatypeMismatch
from constellationdb.planner.lower.core import Lowering
from constellationdb.planner.lower.stream import Stream
from constellationdb.planner.shuttle import field

_TEXTS = (pa.string(), pa.large_string(), pa.string_view())


def common_type(left: pa.DataType, right: pa.DataType) -> pa.DataType:
    """The type two columns meet in: numeric beats integers, double beats all; texts come in several widths."""
    if left == right:
        return left
    kinds = (left, right)
    if all(kind in _TEXTS for kind in kinds):
        return pa.string()
    if any(pt.is_floating(k) for k in kinds):
        return pa.float64()
    if all(pt.is_decimal(k) or pt.is_integer(k) for k in kinds):
        return pa.decimal128(38, max((k.scale for k in kinds if pt.is_decimal(k)), default=0))
    raise DatatypeMismatch(f"types {left} and {right} cannot be matched")


def cast(expression: Expression, kind: pa.DataType) -> Expression:
    """``expression`` cast to double precision, numeric or text, the kinds ``common_type`` makes."""
    made = Expression()
    made.cast.input.CopyFrom(expression)
    made.cast.failure_behavior = Expression.Cast.FAILURE_BEHAVIOR_THROW_EXCEPTION
    if kind == pa.float64():
        made.cast.type.fp64.nullability = Type.NULLABILITY_NULLABLE
    elif pt.is_decimal(kind):
        made.cast.type.decimal.precision, made.cast.type.decimal.scale = kind.precision, kind.scale
        made.cast.type.decimal.nullability = Type.NULLABILITY_NULLABLE
    elif pt.is_int64(kind):
        made.cast.type.i64.nullability = Type.NULLABILITY_NULLABLE
    elif pt.is_int32(kind):
        made.cast.type.i32.nullability = Type.NULLABILITY_NULLABLE
    elif pt.is_int16(kind):
        made.cast.type.i16.nullability = Type.NULLABILITY_NULLABLE
    elif kind == pa.string():
        made.cast.type.string.nullability = Type.NULLABILITY_NULLABLE
    else:
        raise DatatypeMismatch(f"no cast to {kind}")
    return made


def conform(lowering: Lowering, stream: Stream, types: list[pa.DataType]) -> Stream:
    """The stream with each column cast to its place in ``types``."""
    outputs = [
        field(i) if have == want else cast(field(i), want)
        for i, (have, want) in enumerate(zip(stream.schema.types, types, strict=True))
    ]
    return lowering.build.project(stream, outputs)


def align(
    lowering: Lowering, left: Stream, right: Stream, left_keys: list[int], right_keys: list[int]
) -> tuple[Stream, Stream]:
    """Both sides of a join with their key columns in common types, for keys are compared as bytes."""
    left_types, right_types = list(left.schema.types), list(right.schema.types)
    for a, b in zip(left_keys, right_keys, strict=True):
        if _same_bytes(left_types[a], right_types[b]):
            continue
        left_types[a] = right_types[b] = common_type(left_types[a], right_types[b])
    return conform(lowering, left, left_types), conform(lowering, right, right_types)


def _same_bytes(left: pa.DataType, right: pa.DataType) -> bool:
    return left == right or (left in _TEXTS and right in _TEXTS) or (pt.is_integer(left) and pt.is_integer(right))
