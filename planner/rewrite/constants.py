"""Numeric constants longer than our numerics: 22003, unless the analysis has made a double of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pglast import ast

from constellationdb.catalog.types import NUMERIC_PRECISION
from constellationdb.errors import NumericOutOfRange
from constellationdb.planner.rewrite.tree import MADE, nodes


def check_constants(tree: Any) -> None:
    for node in nodes(tree):
        text = _numeric(node)
        if text is not None and _digits(text) > NUMERIC_PRECISION:
            raise NumericOutOfRange(
                f"a numeric constant has at most {NUMERIC_PRECISION} digits",
                hint="round it, or cast a string to double precision, as in '1e50'::float8",
            )


def _numeric(node: Any) -> str | None:
    """The digits of a constant; a whole one has become a cast of them (``spellings``)."""
    if isinstance(node, ast.TypeCast) and node.location == MADE and node.typeName.names[-1].sval == "numeric":
        return None if node.arg.isnull else str(node.arg.val.sval)
    if isinstance(node, ast.A_Const) and isinstance(node.val, ast.Float):
        return str(node.val.fval)
    return None


def _digits(text: str) -> int:
    _, digits, exponent = Decimal(text).as_tuple()
    assert isinstance(exponent, int)
    return max(len(digits), -exponent)
