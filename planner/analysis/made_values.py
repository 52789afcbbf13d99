"""Operators between rows, enums and maps, and what Postgres has none of."""

from __future__ import annotations

from typing import Any

from pglast import ast
from pglast.enums import A_Expr_Kind

from constellationdb.errors import UndefinedFunction
from constellationdb.planner.analysis import conversions, equality, forms, kinds
from constellationdb.planner.analysis.kinds import UNKNOWN
from constellationdb.planner.analysis.made_kinds import Made, labels_of, pair_of
from constellationdb.planner.analysis.operators import COMPARISONS
from constellationdb.planner.analysis.typed import Typed

_OF_ENUMS = {"enum_first": "first", "enum_last": "last", "enum_range": "all"}
_ORDER = COMPARISONS - {"=", "<>", "!="}


def operated(name: str, left: Typed, right: Typed, position: int | None) -> Typed | None:
    """What an operator with one of these on a side is; None where it has none, or is ||."""
    given = (left.kind, right.kind)
    if None in given or not any(isinstance(kind, Made) and not kinds.is_array(kind) for kind in given):
        return None
    if name == "||" and any(kinds.is_array(kind) or kind in (UNKNOWN, *kinds.TEXTS) for kind in given):
        return None
    kind = _common(given)
    ordered = bool(labels_of(kind))
    if kind is None or name not in COMPARISONS or (name in _ORDER and not ordered):
        raise UndefinedFunction(
            f"operator does not exist: {left.kind} {name} {right.kind}",
            hint="No operator matches the given name and argument types. You might need to add explicit type casts.",
            position=position,
        )
    key = equality.sort_key if name in _ORDER else equality.key
    sides = [key(_as(side, kind, position), kind) for side in (left, right)]
    name = "<>" if name == "!=" else name
    compared = ast.A_Expr(kind=A_Expr_Kind.AEXPR_OP, name=(ast.String(sval=name),), lexpr=sides[0], rexpr=sides[1])
    return Typed(compared, kinds.BOOLEAN)


def _common(given: tuple[kinds.Kind, kinds.Kind]) -> kinds.Kind:
    """What both are compared as: maps of other values may become alike, nothing else does."""
    if UNKNOWN in given or given[0] == given[1] or (all(map(pair_of, given)) and kinds.clash(given) is None):
        return kinds.unify(given)
    return None


def _as(side: Typed, kind: str, position: int | None) -> Any:
    return side.node if side.kind in (kind, UNKNOWN) else conversions.converted(side, kind, position)


def answered(name: str, arguments: list[Typed], position: int | None) -> Typed | None:  # noqa: ARG001
    """enum_first, enum_last and enum_range of an enum's own."""
    labels = labels_of(arguments[0].kind) if name in _OF_ENUMS and len(arguments) == 1 else ()
    if not labels:
        return None
    kind = arguments[0].kind
    if name == "enum_range":
        return Typed(_listed(labels), kinds.array(kind))
    return Typed(forms.text(labels[0] if name == "enum_first" else labels[-1]), kind)


def _listed(labels: tuple[str, ...]) -> Any:
    return kinds.cast(ast.A_ArrayExpr(elements=tuple(map(forms.text, labels))), f"{kinds.TEXT}[]")


def extreme(node: Any, labels: tuple[str, ...]) -> Any:
    """min or max of labels: of their places."""
    node.args = (kinds.cast(forms.call("array_position", _listed(labels), node.args[0]), kinds.BIGINT),)
    return forms.call("array_element", _listed(labels), node)
