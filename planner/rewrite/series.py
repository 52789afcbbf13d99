"""``generate_series(1, 3) AS g`` as the subquery it stands for: an integer column called like its alias."""

from __future__ import annotations

from typing import Any

from pglast import ast

from constellationdb.errors import FeatureNotSupported, InvalidParameter
from constellationdb.planner.rewrite.tree import last_name, parse_query, replace, to_sql

_NAME = "generate_series"


def expand_series(tree: Any) -> Any:
    return replace(tree, _expand)


def _expand(node: Any) -> Any:
    if not isinstance(node, ast.RangeFunction) or len(node.functions) != 1 or node.ordinality:
        return None
    function = node.functions[0][0]
    if not isinstance(function, ast.FuncCall) or last_name(function) != _NAME:
        return None
    arguments: Any = function.args or ()
    if not all(_is_whole(argument) for argument in arguments):
        raise FeatureNotSupported(
            "generate_series is only supported over integer constants", position=function.location + 1
        )
    if len(arguments) == 3 and to_sql(arguments[2]) == "0":
        raise InvalidParameter("step size cannot equal zero")
    kind = "integer" if all(isinstance(argument.val, ast.Integer) for argument in arguments) else "bigint"
    alias = node.alias or ast.Alias(aliasname=_NAME)
    if not alias.colnames:
        alias.colnames = (ast.String(sval=alias.aliasname),)
    rows = parse_query(f"SELECT value::{kind} AS v FROM {to_sql(function)}")
    return ast.RangeSubselect(lateral=False, subquery=rows, alias=alias)


def _is_whole(node: Any) -> bool:
    if not isinstance(node, ast.A_Const) or node.isnull:
        return False
    return isinstance(node.val, ast.Integer) or (
        isinstance(node.val, ast.Float) and node.val.fval.lstrip("-").isdigit()
    )
