"""Comparisons with now() in a continuous query: rows that enter and expire by themselves.

    WHERE ts > now() - INTERVAL '1 hour'          as written
    WHERE ts > now()                              while it is analysed, the interval noted beside it
    WHERE con_clock_gt(ts::timestamptz, '-3600000000')   what DataFusion plans

The call is a function of the row and so goes wherever a condition on the row
may go. What is said of now() in any other way is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pglast import ast
from pglast.enums import A_Expr_Kind, BoolExprType

from constellationdb.catalog.text.zones import zone_named
from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.rewrite.asof import ORDERS, conjuncts, is_operator
from constellationdb.planner.rewrite.intervals import interval_text
from constellationdb.planner.rewrite.refuse import CLOCK_HINT
from constellationdb.planner.rewrite.tree import MADE, last_name, nodes
from constellationdb.planner.syntax.spans import parse_span

CALLS = {">": "con_clock_gt", ">=": "con_clock_gte", "<": "con_clock_lt", "<=": "con_clock_lte"}
_MIRRORED = {">": "<", ">=": "<=", "<": ">", "<=": ">="}
_DAY_US = 86_400_000_000
_NOW = frozenset({"now", "transaction_timestamp"})


def _has_even_days(zone: str) -> bool:
    """Whether every day of it has had 24 hours, and will."""
    found = zone_named(zone)
    least, most = (0, 1) if found is None else found.reach_us()
    return least == most


@dataclass
class ClockFilters:
    """Of one query. ``offsets``: (where a comparison's operator stands, operator) → µs from now."""

    zone: str
    offset: int
    offsets: dict[tuple[int, str], int] = field(default_factory=dict)
    accepted: set[int] = field(default_factory=set)  # the calls of now() that are part of one, by id

    def find(self, tree: Any) -> None:
        """Note every comparison with now() that is a condition of its own, and leave now() alone in it."""
        for select in nodes(tree):
            if isinstance(select, ast.SelectStmt):
                for clause in ("whereClause", "havingClause"):
                    parts = [made for part in conjuncts(getattr(select, clause)) for made in self._parts(part)]
                    if self._note_all(parts):
                        setattr(select, clause, _all(parts))

    def _parts(self, part: Any) -> Iterator[Any]:
        """``x BETWEEN a AND b`` with now() in it, wherever, as two comparisons."""
        if isinstance(part, ast.A_Expr) and part.kind == A_Expr_Kind.AEXPR_BETWEEN and _mentions_now(part):
            for operator, side in zip((">=", "<="), part.rexpr, strict=True):
                name = (ast.String(sval=operator),)
                yield ast.A_Expr(
                    kind=A_Expr_Kind.AEXPR_OP, name=name, lexpr=part.lexpr, rexpr=side, location=part.location
                )
        else:
            yield part

    def _note_all(self, parts: list[Any]) -> bool:
        noted = [self._note(part) for part in parts if is_operator(part, ORDERS)]
        return any(noted)

    def _note(self, part: Any) -> bool:
        for side, other in (("lexpr", "rexpr"), ("rexpr", "lexpr")):
            found = self._now(getattr(part, side))
            if found is not None and not _mentions_now(getattr(part, other)):
                call = ast.FuncCall(funcname=(ast.String(sval="now"),), location=part.location)
                setattr(part, side, call)
                self.offsets[part.location, part.name[-1].sval] = found
                self.accepted.add(id(call))
                return True
        return False

    def _now(self, node: Any) -> int | None:
        """How far from now() a node is in µs: now(), or now() plus or minus intervals; None for anything else."""
        if _is_now(node):
            return 0
        if not is_operator(node, frozenset({"+", "-"})) or node.lexpr is None:
            return None
        sign = 1 if node.name[-1].sval == "+" else -1
        for moment, span in ((node.lexpr, node.rexpr), (node.rexpr, node.lexpr)):
            base = self._now(moment)
            text = interval_text(span) if isinstance(span, ast.TypeCast) or moment is node.lexpr else None
            if base is not None and text is not None and (sign > 0 or moment is node.lexpr):
                return base + sign * self._micros(text, node.location + self.offset + 1)
        return None

    def _micros(self, text: str, position: int) -> int:
        months, days, micros = parse_span(text, position)
        if months or (days and not _has_even_days(self.zone)):
            raise FeatureNotSupported(
                "an interval of months, or of days in a time zone with its own clock, is not supported beside now()",
                hint="say it in days, or in hours",
                position=position,
            )
        return days * _DAY_US + micros

    def call(self, tree: Any) -> None:
        """Put the calls in place of what was noted, once it has been analysed."""
        if not self.offsets:
            return
        for select in nodes(tree):
            if isinstance(select, ast.SelectStmt):
                for clause in ("whereClause", "havingClause"):
                    parts = conjuncts(getattr(select, clause))
                    if parts:
                        setattr(select, clause, _all([self._called(part) for part in parts]))
        for node in nodes(tree):
            if _is_now(node):
                raise FeatureNotSupported("now() is not supported in a continuous query", hint=CLOCK_HINT)

    def _called(self, part: Any) -> Any:
        if not is_operator(part, ORDERS):
            return part
        operator = part.name[-1].sval
        offset = self.offsets.get((part.location, operator))
        if offset is None:
            return part
        if _is_now(_uncast(part.rexpr)):
            row = part.lexpr
        elif _is_now(_uncast(part.lexpr)):
            row, operator = part.rexpr, _MIRRORED[operator]
        else:
            return part
        text = ast.A_Const(isnull=False, val=ast.String(sval=str(offset)))
        name = (ast.String(sval=CALLS[operator]),)
        return ast.FuncCall(funcname=name, args=(_moment(row), text))


def _is_now(node: Any) -> bool:
    if isinstance(node, ast.SQLValueFunction):
        return bool(node.op.name == "SVFOP_CURRENT_TIMESTAMP")
    return isinstance(node, ast.FuncCall) and last_name(node) in _NOW and not node.args


def _uncast(node: Any) -> Any:
    """The analysis says the type of now(), of microseconds."""
    while isinstance(node, ast.TypeCast):
        node = node.arg
    return node


def _moment(node: Any) -> Any:
    """``node``, which the analysis found comparable with now(), as a timestamptz."""
    name = ast.TypeName(names=(ast.String(sval="pg_catalog"), ast.String(sval="timestamptz")), typemod=-1)
    name.typmods = (ast.A_Const(isnull=False, val=ast.Integer(ival=6)),)
    return ast.TypeCast(arg=node, typeName=name, location=MADE)


def _mentions_now(node: Any) -> bool:
    return any(map(_is_now, nodes(node)))


def _all(parts: list[Any]) -> Any:
    if len(parts) == 1:
        return parts[0]
    return ast.BoolExpr(boolop=BoolExprType.AND_EXPR, args=tuple(parts), location=-1)
