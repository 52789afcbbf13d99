"""``generate_series(1, 3) AS g`` as the subquery it stands for: an integer column called like its alias.

A view has no use for a function that makes rows: there the series is written out.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from pglast import ast

from constellationdb.errors import FeatureNotSupported, InvalidParameter
from constellationdb.planner.rewrite.tree import last_name, parse_query, replace, to_sql

_NAME = "generate_series"
_SERIES = "__series"  # the alias of one that DataFusion counts out, in its column "value"
_LONGEST = 10_000  # rows of a series that is written out


def expand_series(tree: Any, *, continuous: bool) -> Any:
    return replace(tree, partial(_expand, continuous=continuous))


def is_table_function(item: Any) -> bool:
    """Whether a function in FROM stays DataFusion's: it has its own series, and range()."""
    function = item.functions[0][0]
    counted = item.alias is not None and item.alias.aliasname == _SERIES
    return counted or (isinstance(function, ast.FuncCall) and last_name(function) == "range")


def _expand(node: Any, *, continuous: bool) -> Any:
    if not isinstance(node, ast.RangeFunction) or len(node.functions) != 1 or node.ordinality:
        return None
    function = node.functions[0][0]
    if not isinstance(function, ast.FuncCall) or last_name(function) != _NAME:
        return None
    arguments: Any = function.args or ()
    if not all(_is_whole(argument) for argument in arguments):
        return None
    if len(arguments) == 3 and to_sql(arguments[2]) == "0":
        raise InvalidParameter("step size cannot equal zero")
    function.funcname = function.funcname[-1:]
    kind = "integer" if all(isinstance(argument.val, ast.Integer) for argument in arguments) else "bigint"
    alias = node.alias or ast.Alias(aliasname=_NAME)
    if not alias.colnames:
        alias.colnames = (ast.String(sval=alias.aliasname),)
    made = f"SELECT value::{kind} AS v FROM {to_sql(function)} AS {_SERIES}"
    rows = parse_query(_written_out(arguments, kind, function.location + 1) if continuous else made)
    return ast.RangeSubselect(lateral=False, subquery=rows, alias=alias)


def _written_out(arguments: Any, kind: str, position: int) -> str:
    first, last, step = (int(to_sql(argument)) for argument in (*arguments, ast.A_Const(val=ast.Integer(ival=1)))[:3])
    values = range(first, last + (1 if step > 0 else -1), step)
    if len(values) > _LONGEST:
        raise FeatureNotSupported(
            f"a series of more than {_LONGEST} rows is not supported in a continuous query",
            hint="insert it into a table",
            position=position,
        )
    if not values:
        return f"SELECT v FROM (VALUES (CAST(NULL AS {kind}))) AS none(v) WHERE v IS NOT NULL"
    return "VALUES " + ", ".join(f"(CAST({value} AS {kind}))" for value in values)


def _is_whole(node: Any) -> bool:
    if not isinstance(node, ast.A_Const) or node.isnull:
        return False
    return isinstance(node.val, ast.Integer) or (
        isinstance(node.val, ast.Float) and node.val.fval.lstrip("-").isdigit()
    )
