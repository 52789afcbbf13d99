"""What binary operators make of their operands, by Postgres' tables."""

from __future__ import annotations

from constellationdb.planner.analysis import kinds
from constellationdb.planner.analysis.kinds import BIGINT, BOOLEAN, DATE, DOUBLE, INTERVAL, NUMERIC, REAL, TEXT, Kind

ARITHMETIC = frozenset("+-*/%")
COMPARISONS = frozenset({"=", "<>", "!=", "<", "<=", ">", ">="})
SHIFTS = frozenset({"<<", ">>"})
BITWISE = SHIFTS | frozenset("&|#")
_PATTERNS = frozenset({"~", "~*", "!~", "!~*", "~~", "!~~", "~~*", "!~~*"})
_KNOWN = frozenset(
    {*kinds.NUMBERS, *kinds.MOMENTS, BOOLEAN, INTERVAL, kinds.TIME, *kinds.TEXTS, *kinds.OIDS, kinds.UUID}
)
_UNORDERED = frozenset({kinds.JSON, kinds.JSONB})
CONTAINMENT = frozenset({"@>", "<@", "&&"})
_MISSING = "missing"


def result(operator: str, left: Kind, right: Kind) -> Kind:
    """The type of ``left operator right``; None when not known. UNKNOWN operands count as the other's type."""
    found = _result(operator, left, right)
    return None if found == _MISSING else found


def exists(operator: str, left: Kind, right: Kind) -> bool:
    """False only when Postgres certainly has no such operator."""
    return _result(operator, left, right) != _MISSING


def _result(operator: str, left: Kind, right: Kind) -> Kind:
    if left == kinds.UNKNOWN or right == kinds.UNKNOWN:
        return _with_literal(operator, right if left == kinds.UNKNOWN else left)
    if left is None or right is None:
        return None
    if kinds.is_array(left) or kinds.is_array(right):
        return _of_arrays(operator, left, right)
    if operator in COMPARISONS and {left, right} & _UNORDERED:
        return BOOLEAN if left == right == kinds.JSONB else _MISSING
    if left not in _KNOWN or right not in _KNOWN:
        return None
    if left in kinds.TEXTS and right in kinds.TEXTS:
        left = right = TEXT
    if operator in COMPARISONS:
        return BOOLEAN if kinds.family(left) == kinds.family(right) else _MISSING
    if operator in _PATTERNS:
        return BOOLEAN if left == right == TEXT else _MISSING
    if operator == "||":
        return TEXT if left in kinds.TEXTS or right in kinds.TEXTS else _MISSING
    if operator == "^" and left in kinds.NUMBERS and right in kinds.NUMBERS:
        return DOUBLE
    if operator in BITWISE and left in kinds.INTEGERS and right in kinds.INTEGERS:
        return left if operator in SHIFTS else max(left, right, key=kinds.INTEGERS.index)
    if operator in ARITHMETIC:
        return _arithmetic(operator, left, right)
    return None


def _of_arrays(operator: str, left: str, right: str) -> Kind:
    both = kinds.is_array(left) and kinds.is_array(right)
    if operator == "||":
        kind = left if kinds.is_array(left) else right
        fits = kinds.family(left) == kinds.family(right) if both else _belongs(left, right)
        return kind if fits else _MISSING
    if operator in COMPARISONS:
        return BOOLEAN if both and _are_compared(left, right) else _MISSING
    return (
        BOOLEAN
        if both and operator in CONTAINMENT and _are_compared(left, right)
        else _MISSING
        if both
        else _MISSING
        if operator in ARITHMETIC
        else None
    )


def _are_compared(left: str, right: str) -> bool:
    """Arrays of numbers are compared with arrays of the same numbers only."""
    if left in kinds.VECTORS or right in kinds.VECTORS or kinds.element(left) in kinds.TEXTS:
        return kinds.family(left) == kinds.family(right)
    return left == right


def _belongs(left: str, right: str) -> bool:
    """Whether one of the two is an array of the other."""
    array, other = (left, right) if kinds.is_array(left) else (right, left)
    return kinds.family(kinds.element(array)) == kinds.family(other)


def _with_literal(operator: str, other: Kind) -> Kind:
    if operator in COMPARISONS or operator in _PATTERNS:
        return BOOLEAN
    if operator == "||":
        if kinds.is_array(other) or other == kinds.BYTEA:
            return other
        return TEXT if other in _KNOWN or other == kinds.UNKNOWN else None
    return other if other in kinds.NUMBERS and operator in ARITHMETIC else None


def _arithmetic(operator: str, left: str, right: str) -> Kind:
    if left in kinds.NUMBERS and right in kinds.NUMBERS:
        return _number(operator, left, right)
    if INTERVAL in (left, right):
        return _interval(operator, left, right)
    if operator == "-" and left in kinds.MOMENTS and right in kinds.MOMENTS:
        return kinds.INTEGER if left == right == DATE else INTERVAL
    if operator == "-" and left == right == kinds.TIME:
        return INTERVAL
    if operator in "+-" and left == DATE and right in kinds.INTEGERS[:2]:
        return DATE
    if operator == "+" and left in kinds.INTEGERS[:2] and right == DATE:
        return DATE
    if operator == "+" and {left, right} == {DATE, kinds.TIME}:
        return kinds.TIMESTAMP
    return _MISSING


def _number(operator: str, left: str, right: str) -> Kind:
    both = {left, right}
    if both & {REAL, DOUBLE}:
        if operator == "%":
            return _MISSING
        return REAL if both == {REAL} else DOUBLE
    if NUMERIC in both:
        return NUMERIC
    return max(both, key=kinds.NUMBERS.index)


def _interval(operator: str, left: str, right: str) -> Kind:
    other = right if left == INTERVAL else left
    if left == right:
        return INTERVAL if operator in "+-" else _MISSING
    if other in kinds.NUMBERS:
        fits = operator == "*" or (operator == "/" and left == INTERVAL)
        return INTERVAL if fits else _MISSING
    if operator == "+" or (operator == "-" and right == INTERVAL):
        if other in kinds.MOMENTS:
            return kinds.TIMESTAMP if other == DATE else other
        return other if other == kinds.TIME else _MISSING
    return _MISSING


def is_whole(kind: Kind) -> bool:
    return kind in kinds.INTEGERS


def suffix(kind: str) -> str:
    """How the checked functions of ``planner.functions`` are called for a type."""
    return {kinds.SMALLINT: "i16", kinds.INTEGER: "i32", BIGINT: "i64", REAL: "f32", DOUBLE: "f64"}[kind]
