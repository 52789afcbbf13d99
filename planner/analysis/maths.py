"""Mathematical functions with a guard around them: an argument without an answer and a result too great are errors."""

from __future__ import annotations

from typing import Any

from pglast import ast

from constellationdb.planner.analysis import forms, kinds
from constellationdb.planner.analysis.kinds import Kind
from constellationdb.planner.math_functions import SCALE, WHOLE_SCALE
from constellationdb.planner.rewrite.tree import parse_expression, to_sql

_ARGUMENT_OF = {
    "ln": "con_of_logarithm", "log": "con_of_logarithm", "log10": "con_of_logarithm", "log2": "con_of_logarithm",
    "sqrt": "con_of_root", "asin": "con_of_arc", "acos": "con_of_arc", "chr": "con_code",
}  # fmt: skip
_POWERS = frozenset({"power", "pow"})
_NUMBERS = (*kinds.NUMBERS, kinds.UNKNOWN)


def guarded(node: Any, name: str, shown: list[Kind]) -> Any | None:
    """The call ``node`` with its guard; None when it needs none."""
    if not shown or any(kind not in _NUMBERS for kind in shown):
        return None
    if name in _ARGUMENT_OF:
        wanted = kinds.BIGINT if name == "chr" else kinds.DOUBLE
        node.args = tuple(forms.call(_ARGUMENT_OF[name], kinds.cast(a, wanted)) for a in node.args)
        return node
    if name in _POWERS and len(shown) == 2:
        return power(*node.args)
    if name == "exp":
        (argument,) = node.args
        return forms.call("con_in_range", node, *(kinds.cast(_copy(argument), kinds.DOUBLE) for _ in range(2)))
    return None


def power(base: Any, exponent: Any) -> Any:
    base, exponent = kinds.cast(base, kinds.DOUBLE), kinds.cast(exponent, kinds.DOUBLE)
    checked = forms.call("con_base", base, exponent)
    return forms.call("con_in_range", forms.call("power", checked, _copy(exponent)), _copy(base), _copy(exponent))


def quotient(dividend: Any, divisor: Any, *, whole: bool) -> Any:
    """A quotient of numerics, of whatever digits: their texts are divided. ``whole``: of a whole dividend."""
    scale = WHOLE_SCALE if whole else SCALE
    return forms.call(f"con_quotient_{scale}", *(kinds.cast(side, kinds.TEXT) for side in (dividend, divisor)))


def average(node: Any) -> Any:
    """avg(numeric) with the digits of a quotient: DataFusion's has four more than its argument."""
    total, count = _copy(node), _copy(node)
    total.funcname, count.funcname = (ast.String(sval="sum"),), (ast.String(sval="count"),)
    return quotient(total, count, whole=False)


def _copy(node: Any) -> Any:
    return parse_expression(to_sql(node))
