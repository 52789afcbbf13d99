"""Functions: which are aggregates, which need OVER, what they return, what their string arguments are."""

from __future__ import annotations

from typing import Any

from pglast import ast

from constellationdb.planner.analysis import kinds
from constellationdb.planner.analysis.kinds import Kind
from constellationdb.planner.rewrite.tree import last_name

AGGREGATES = frozenset(
    {"count", "sum", "avg", "min", "max", "bool_and", "bool_or", "every", "string_agg", "array_agg", "stddev",
     "stddev_pop", "stddev_samp", "var_pop", "var_samp", "variance", "corr", "covar_pop", "covar_samp", "bit_and",
     "bit_or", "bit_xor", "median", "regr_slope", "regr_intercept", "regr_count", "regr_r2", "approx_distinct",
     "approx_median", "approx_percentile_cont", "regr_avgx", "regr_avgy", "regr_sxx", "regr_syy", "regr_sxy",
     "any_value", "percentile_cont", "percentile_disc", "mode", "json_agg", "jsonb_agg", "json_object_agg",
     "jsonb_object_agg"}
)  # fmt: skip
USER_AGGREGATE = "con_aggregate_"
WINDOW_ONLY = frozenset(
    {"row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "lag", "lead", "nth_value",
     "first_value", "last_value"}
)  # fmt: skip

_TEXT = frozenset(
    {"lower", "upper", "trim", "btrim", "ltrim", "rtrim", "substr", "substring", "left", "right", "replace", "concat",
     "concat_ws", "format", "repeat", "reverse", "lpad", "rpad", "initcap", "md5", "to_char", "split_part",
     "translate", "chr", "regexp_replace", "string_agg", "to_hex", "encode"}
)  # fmt: skip
_INTEGER = frozenset(
    {"length", "char_length", "character_length", "octet_length", "bit_length", "strpos", "position", "ascii", "ntile"}
)
_BIGINT = frozenset({"count", "row_number", "rank", "dense_rank", "regr_count"})
_DOUBLE = frozenset(
    {"sqrt", "exp", "ln", "log", "log10", "log2", "power", "pow", "asin", "acos", "sin", "cos", "tan", "atan", "atan2",
     "pi", "random", "cbrt", "degrees", "radians", "percent_rank", "cume_dist",
     "percentile_cont", "corr", "covar_pop", "covar_samp", "regr_avgx", "regr_avgy", "regr_sxx", "regr_syy", "regr_sxy",
     "regr_slope", "regr_intercept", "regr_r2"}
)  # fmt: skip
_BYTEA = frozenset({"decode", "sha224", "sha256", "sha384", "sha512"})
_OF_BYTEA = frozenset({"encode", "sha224", "sha256", "sha384", "sha512"})
_BOOLEAN = frozenset({"bool_and", "bool_or", "every", "starts_with"})
_FIRST = frozenset({"min", "max", "any_value", "lag", "lead", "first_value", "last_value", "nth_value"})
_FIXED = {"extract": kinds.NUMERIC, "date_part": kinds.DOUBLE, "to_date": kinds.DATE, "factorial": kinds.NUMERIC}
_MATHS = frozenset({"sqrt", "exp", "ln", "log", "log10", "power", "pow", "sin", "cos", "tan", "asin", "acos", "degrees",
                    "radians", "cbrt"})  # fmt: skip
_WHOLE_PLACES = {"repeat": (1,), "left": (1,), "right": (1,), "lpad": (1,), "rpad": (1,), "split_part": (2,),
                 "substr": (1, 2), "chr": (0,)}  # fmt: skip
_SUMS = {kinds.SMALLINT: kinds.BIGINT, kinds.INTEGER: kinds.BIGINT, kinds.BIGINT: kinds.NUMERIC,
         kinds.NUMERIC: kinds.NUMERIC, kinds.REAL: kinds.REAL, kinds.DOUBLE: kinds.DOUBLE,
         kinds.INTERVAL: kinds.INTERVAL}  # fmt: skip

_SPREADS = frozenset({"stddev", "stddev_samp", "stddev_pop", "var_samp", "var_pop", "variance"})


def is_aggregate(name: str) -> bool:
    """Users' own have names that only plans know."""
    return name in AGGREGATES or name.startswith(USER_AGGREGATE)


def is_aggregate_call(node: Any) -> bool:
    """Whether ``node`` calls an aggregate, and not over a window."""
    return isinstance(node, ast.FuncCall) and node.over is None and is_aggregate(last_name(node))


def returns(name: str, arguments: list[Kind]) -> Kind:
    """The type of a call; None when it is not known for certain."""
    for names, kind in (
        (_TEXT, kinds.TEXT), (_INTEGER, kinds.INTEGER), (_BIGINT, kinds.BIGINT), (_DOUBLE, kinds.DOUBLE),
        (_BOOLEAN, kinds.BOOLEAN), (_BYTEA, kinds.BYTEA),
    ):  # fmt: skip
        if name in names:
            return kind
    if not arguments:
        return None
    first = arguments[0]
    if name in ("gcd", "lcm") and all(kind in kinds.INTEGERS for kind in arguments):
        return kinds.unify(arguments)
    if name == "sign":
        return kinds.NUMERIC if first == kinds.NUMERIC else kinds.DOUBLE
    if name in _FIXED:
        return _FIXED[name]
    if name == "array_agg":
        return kinds.array(first)
    if name == "date_trunc" and arguments[1:] in ([kinds.DATE], [kinds.TIMESTAMP]):
        return kinds.TIMESTAMP
    if name in _FIRST:
        return kinds.TEXT if first == kinds.UNKNOWN else first
    if name == "sum":
        return _SUMS.get(first or "")
    if name == "avg":
        return first if first in (kinds.NUMERIC, kinds.INTERVAL) else kinds.DOUBLE if first in kinds.NUMBERS else None
    if name in _SPREADS:
        return kinds.DOUBLE if first in kinds.NUMBERS else None
    if name in ("round", "trunc", "ceil", "ceiling", "floor") and first in (kinds.NUMERIC, kinds.DOUBLE):
        return first
    return first if name == "abs" and first in kinds.NUMBERS else None


def literal_argument(name: str, place: int) -> Kind:
    """What a string literal as argument number ``place`` is read as; None leaves it a string."""
    if place in _WHOLE_PLACES.get(name, ()):
        return kinds.INTEGER
    if name in _OF_BYTEA and place == 0:
        return kinds.BYTEA
    return kinds.DOUBLE if name in _MATHS else None
