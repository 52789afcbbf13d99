"""The nine predicates a lookup source may be asked, evaluated here with Postgres' answers.

A comparison with NULL is never true; NaN equals NaN and is greater than every
other number; -0 equals 0; texts compare by their bytes. ``in`` is true when
some value is equal. An empty ``in`` matches nothing.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from constellationdb.connectors.api import LookupCapabilities, LookupPredicate

_Column: TypeAlias = Any  # pa.Array | pa.ChunkedArray

_COMPARE: dict[str, Callable[[_Column, pa.Scalar], _Column]] = {
    "=": pc.equal,
    "<>": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
_PLAIN: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
# What ``x OP v`` is where exactly one side is NaN (the greatest): x is NaN, or v is.
_COLUMN_NAN = {"=": False, "<>": True, "<": False, "<=": False, ">": True, ">=": True}
_VALUE_NAN = {"=": False, "<>": True, "<": True, "<=": True, ">": False, ">=": False}
_BOTH_NAN = {"=": True, "<>": False, "<": False, "<=": True, ">": False, ">=": True}


def split(
    predicates: Sequence[LookupPredicate], capabilities: LookupCapabilities
) -> tuple[list[LookupPredicate], list[LookupPredicate]]:
    """(what the source evaluates, what stays here), each in the order given."""
    pushed = [each for each in predicates if each.op in capabilities.predicates]
    local = [each for each in predicates if each.op not in capabilities.predicates]
    return pushed, local


def evaluate(table: pa.Table, predicates: Sequence[LookupPredicate]) -> pa.Table:
    """The rows of ``table`` for which every predicate is true."""
    for predicate in predicates:
        # a NULL in the mask counts as false: that row is not kept
        table = table.filter(matches(table.column(predicate.column), predicate), null_selection_behavior="drop")
    return table


def matches(column: _Column, predicate: LookupPredicate) -> _Column:
    """True, false or NULL for every value of the column."""
    if predicate.op == "is null":
        return pc.is_null(column)
    if predicate.op == "is not null":
        return pc.is_valid(column)
    if predicate.op == "in":
        return _among(column, predicate.values)
    return _compare(column, predicate.op, predicate.values[0])


def show(predicate: LookupPredicate) -> str:
    """As in EXPLAIN: ``price > 10``, ``id in (1, 2)``, ``name is null``."""
    if predicate.op in ("is null", "is not null"):
        return f"{predicate.column} {predicate.op}"
    values = [_literal(value) for value in predicate.values]
    shown = f"({', '.join(values)})" if predicate.op == "in" else values[0]
    return f"{predicate.column} {predicate.op} {shown}"


def _literal(value: pa.Scalar) -> str:
    if not value.is_valid:
        return "NULL"
    kind = value.type
    if pa.types.is_boolean(kind):
        return str(value.as_py()).lower()
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return str(value.as_py())
    return "'" + str(value.as_py()).replace("'", "''") + "'"


def _among(column: _Column, values: Sequence[pa.Scalar]) -> _Column:
    """Equal to some value: one hash lookup where types agree and equality is plain, else one by one."""
    present = [value for value in values if value.is_valid]
    if not pa.types.is_floating(column.type) and all(value.type.equals(column.type) for value in present):
        found = pc.is_in(column, value_set=pa.array([value.as_py() for value in present], column.type))
        return _where_valid(column, found)
    found = pa.scalar(False)
    for value in present:
        found = pc.or_kleene(found, _compare(column, "=", value))
    return _where_valid(column, found)


def _compare(column: _Column, op: str, value: pa.Scalar) -> _Column:
    if not value.is_valid:
        return _where_valid(column, pa.scalar(None, pa.bool_()))
    if pa.types.is_floating(column.type) or pa.types.is_floating(value.type):
        # as in Postgres: a comparison with a double is one of doubles
        return _compare_doubles(column.cast(pa.float64(), safe=False), op, value.cast(pa.float64(), safe=False))
    try:
        return _COMPARE[op](column, value)
    except pa.ArrowInvalid:
        # numerics too wide for a common type
        right = value.as_py()
        answers = [None if left is None else _PLAIN[op](left, right) for left in column.to_pylist()]
        return pa.array(answers, pa.bool_())


def _compare_doubles(column: _Column, op: str, value: pa.Scalar) -> _Column:
    is_nan = pc.is_nan(column)
    if math.isnan(value.as_py()):
        return pc.if_else(is_nan, _BOTH_NAN[op], _VALUE_NAN[op])
    return pc.if_else(is_nan, _COLUMN_NAN[op], _COMPARE[op](column, value))


def _where_valid(column: _Column, answer: _Column | pa.Scalar) -> _Column:
    """The answer as a column, false where the column is NULL."""
    return pc.and_kleene(pc.is_valid(column), answer)
