"""What pglast prints in Postgres' inner words, said so that DataFusion understands it.

``trim(s)`` is ``pg_catalog.btrim(s)`` in the parse tree; a constant such as ``1e100``,
which no numeric of ours can hold, is written as the double it must be; a timestamp
counts microseconds, where DataFusion's own are nanoseconds and end in 2262.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pglast import ast

from constellationdb.planner.rewrite.tree import MADE, last_name, replace

_PLAIN = frozenset({"btrim", "ltrim", "rtrim", "substring", "overlay"})
_MOMENTS = frozenset({"timestamp", "timestamptz"})
_DIGITS = 38
_SCALE = 15  # what DataFusion adds when the constant meets a double


def respell(tree: Any) -> Any:
    return replace(tree, _respell)


def _respell(node: Any) -> Any:
    match node:
        case ast.FuncCall() if len(node.funcname) == 2 and last_name(node) in _PLAIN:
            node.funcname = node.funcname[-1:]
        case ast.A_Const() if isinstance(node.val, ast.Float):
            if not _fits(node.val.fval):
                return _double(node.val.fval)
            return _numeric(node.val.fval)
        case ast.TypeName() if node.names[-1].sval in _MOMENTS and not node.typmods:
            node.typmods = (ast.A_Const(isnull=False, val=ast.Integer(ival=6)),)
    return None


def _fits(text: str) -> bool:
    """Whether the constant has no exponent, or is short enough without it to stand beside a double."""
    _, digits, exponent = Decimal(text).as_tuple()
    assert isinstance(exponent, int)
    return "e" not in text.lower() or max(len(digits) + exponent, -exponent) <= _DIGITS - _SCALE


def _numeric(text: str) -> Any | None:
    """The constant without an exponent, which DataFusion loses; as a numeric, also when it is whole."""
    if "e" in text.lower():
        text = format(Decimal(text), "f")
    elif not text.lstrip("-").isdigit() or -(1 << 63) <= int(text) < 1 << 63:
        return None
    if "." in text:
        return ast.A_Const(isnull=False, val=ast.Float(fval=text))
    name = ast.TypeName(names=(ast.String(sval="pg_catalog"), ast.String(sval="numeric")), typemod=-1)
    name.typmods = tuple(ast.A_Const(isnull=False, val=ast.Integer(ival=n)) for n in (_DIGITS, 0))
    return ast.TypeCast(arg=ast.A_Const(isnull=False, val=ast.String(sval=text)), typeName=name, location=MADE)


def _double(text: str) -> Any:
    name = ast.TypeName(names=(ast.String(sval="pg_catalog"), ast.String(sval="float8")), typemod=-1)
    return ast.TypeCast(arg=ast.A_Const(isnull=False, val=ast.String(sval=text)), typeName=name, location=MADE)
