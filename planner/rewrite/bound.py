"""Parameters in a parse tree: each $n becomes a constant of its type, which nothing can read as anything else.

A constant of a type that has no literal of its own is a cast that nobody wrote (``MADE``), so that
the column it makes is still called ``?column?``.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from pglast import ast

from constellationdb.catalog.types import NUMERIC_PRECISION
from constellationdb.errors import InvalidTextRepresentation, NumericOutOfRange, UndefinedParameter
from constellationdb.planner import postgres_types as types
from constellationdb.planner.rewrite.tree import MADE, parse_query, replace
from constellationdb.planner.statements import Argument, Query

_TRUE = frozenset({"t", "tr", "tru", "true", "y", "ye", "yes", "on", "1"})
_FALSE = frozenset({"f", "fa", "fal", "fals", "false", "n", "no", "of", "off", "0"})
_BITS = {"int2": 15, "int4": 31, "int8": 63}
# Types whose values are texts, and those whose names DataFusion takes bare only.
_TEXTS = frozenset({"varchar", "bpchar", "name", "char"})
_BARE = frozenset({"text", "date", "bytea", "uuid", "json", "jsonb"})


def query_tree(query: Query) -> Any:
    """The parse tree of a query, with its parameters bound."""
    tree = parse_query(query.text)
    return bound(tree, query.parameters) if query.parameters else tree


def bound(tree: Any, parameters: Sequence[Argument]) -> Any:
    def change(node: Any) -> Any:
        if isinstance(node, ast.SelectStmt):
            node.limitCount, node.limitOffset = _number(node.limitCount), _number(node.limitOffset)
        if not isinstance(node, ast.ParamRef):
            return None
        if not 1 <= node.number <= len(parameters):
            raise UndefinedParameter(f"there is no parameter ${node.number}", position=node.location + 1)
        return constant(parameters[node.number - 1])

    return replace(tree, change)


def constant(argument: Argument) -> Any:
    """The node that stands for ``argument``; an error where its text is no value of its type."""
    kind = types.by_oid(argument.oid)
    if kind in (None, types.UNKNOWN) or types.is_of_user(kind):
        return _string(argument.text)
    assert kind is not None
    text = argument.text
    if text is None:
        return _cast(None, kind)
    if kind == "bool":
        return ast.A_Const(isnull=False, val=ast.Boolean(boolval=read_boolean(text)))
    if kind in _BITS:
        return _integer(read_integer(text, kind), kind)
    if kind == "numeric":
        return _numeric(read_numeric(text), text)
    return _cast(text, kind)


def read_boolean(text: str) -> bool:
    word = text.strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise _invalid(text, "boolean")


def read_integer(text: str, kind: str) -> int:
    try:
        value = int(text) if "_" not in text else None
    except ValueError:
        value = None
    if value is None:
        raise _invalid(text, types.display(kind))
    if not -(1 << _BITS[kind]) <= value < 1 << _BITS[kind]:
        raise NumericOutOfRange(f'value "{text}" is out of range for type {types.display(kind)}')
    return value


def read_numeric(text: str) -> Decimal:
    try:
        if "_" not in text:
            return Decimal(text.strip())
    except InvalidOperation:
        pass
    raise _invalid(text, "numeric")


def _invalid(text: str, shown: str) -> InvalidTextRepresentation:
    return InvalidTextRepresentation(f'invalid input syntax for type {shown}: "{text}"')


def _integer(value: int, kind: str) -> Any:
    if kind == "int4" and value >= 0:
        return ast.A_Const(isnull=False, val=ast.Integer(ival=value))
    return _cast(str(value), kind)


def _numeric(value: Decimal, text: str) -> Any:
    """With the digits it was written with."""
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int):
        raise NumericOutOfRange(f'numeric value "{text}" cannot be stored')
    scale = max(-exponent, 0)
    if scale > NUMERIC_PRECISION:
        raise NumericOutOfRange(f"a numeric has at most {NUMERIC_PRECISION} digits")
    made = _cast(format(value, "f"), "numeric")
    made.typeName.typmods = tuple(
        ast.A_Const(isnull=False, val=ast.Integer(ival=n)) for n in (NUMERIC_PRECISION, scale)
    )
    return made


def _cast(text: str | None, kind: str) -> Any:
    name = types.element_of(kind) or kind
    name = "text" if name in _TEXTS else name
    names = (name,) if name in _BARE else ("pg_catalog", name)
    made = ast.TypeName(names=tuple(ast.String(sval=part) for part in names), typemod=-1)
    if types.is_array(kind):
        made.arrayBounds = (ast.Integer(ival=-1),)
    return ast.TypeCast(arg=_string(text), typeName=made, location=MADE)


def _string(text: str | None) -> Any:
    if text is None:
        return ast.A_Const(isnull=True)
    return ast.A_Const(isnull=False, val=ast.String(sval=text))


def _number(node: Any) -> Any:
    """LIMIT and OFFSET take a bare number."""
    if not isinstance(node, ast.TypeCast) or node.location != MADE or not isinstance(node.arg.val, ast.String):
        return node
    return ast.A_Const(isnull=False, val=ast.Float(fval=node.arg.val.sval)) if _is_whole(node) else node


def _is_whole(node: Any) -> bool:
    return node.typeName.names[-1].sval in _BITS
