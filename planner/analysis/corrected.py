"""Aggregates that DataFusion answers wrong, said in other words, for a plan that nothing corrects afterwards."""

from __future__ import annotations

from typing import Any

from pglast import ast

from constellationdb.planner.analysis import forms, kinds, operators
from constellationdb.planner.analysis.kinds import Kind


def corrected(node: Any, name: str, shown: list[Kind]) -> Any | None:
    """As ``planner.extremes`` and ``planner.xors`` have it in plans; None for what is right as it is."""
    if name in ("min", "max") and shown in ([kinds.DOUBLE], [kinds.REAL]):
        node.args = (forms.call("con_rank_f64", kinds.cast(node.args[0], kinds.DOUBLE)),)
        return kinds.cast(forms.call("con_unrank_f64", node), str(shown[0]))
    if name == "bit_xor" and node.agg_distinct and shown[0] in kinds.INTEGERS:
        node.funcname = (ast.String(sval="array_agg"),)
        return forms.call(f"con_xor_{operators.suffix(str(shown[0]))}", node)
    return None


def count_rows(node: Any, name: str) -> None:
    """count((a, b)) counts rows, for a row is never NULL; DataFusion need not make them."""
    if name != "count" or node.over is not None or node.agg_distinct or len(node.args or ()) != 1:
        return
    if isinstance(node.args[0], ast.RowExpr):
        node.args, node.agg_star = None, True
