"""The walk over expressions: each one's type, and what it makes of the parameters in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pglast import ast
from pglast.enums import A_Expr_Kind, SubLinkType

from constellationdb.errors import AmbiguousFunction, DatatypeMismatch
from constellationdb.planner import postgres_types as types
from constellationdb.planner.inference import resolve
from constellationdb.planner.inference.calls import Calls
from constellationdb.planner.inference.operators import OPERATORS
from constellationdb.planner.inference.parameters import Parameters, Typed
from constellationdb.planner.inference.scope import Columns, Scope
from constellationdb.planner.inference.signatures import Signature
from constellationdb.planner.inference.together import common
from constellationdb.planner.inference.type_names import type_of_name
from constellationdb.planner.postgres_types import UNKNOWN, Type

_AMBIGUOUS = "Could not choose a best candidate operator. You might need to add explicit type casts."
_CLOCKS = {"CURRENT_DATE": "date", "CURRENT_TIME": "timetz", "CURRENT_TIMESTAMP": "timestamptz", "LOCALTIME": "time",
           "LOCALTIMESTAMP": "timestamp"}  # fmt: skip
_BETWEEN = {
    A_Expr_Kind.AEXPR_BETWEEN: (">=", "<="), A_Expr_Kind.AEXPR_NOT_BETWEEN: ("<", ">"),
    A_Expr_Kind.AEXPR_BETWEEN_SYM: (">=", "<=", ">=", "<="), A_Expr_Kind.AEXPR_NOT_BETWEEN_SYM: ("<", ">", "<", ">"),
}  # fmt: skip
_COMPARISONS = frozenset({"=", "<>", "!=", "<", "<=", ">", ">="})
_QUANTIFIED = (A_Expr_Kind.AEXPR_OP_ANY, A_Expr_Kind.AEXPR_OP_ALL)
BOOL = Typed("bool")
NOTHING = Typed(None)

# Analyses a subquery that sees a scope: its columns, with those of no type as texts.
Subquery = Callable[[Any, Scope], Columns]


class Expressions:
    def __init__(
        self, parameters: Parameters, subquery: Subquery, offset: int, functions: Mapping[str, tuple[Signature, ...]]
    ) -> None:
        self.parameters = parameters
        self.functions = functions
        self._subquery = subquery
        self._offset = offset
        self._calls = Calls(self)

    def at(self, node: Any) -> int | None:
        location = getattr(node, "location", None)
        return None if location is None or location < 0 else location + self._offset + 1

    def unknown_here(self) -> Typed:
        """Something this walk does not know: what is beside it may have a type all the same."""
        self.parameters.incomplete = True
        return NOTHING

    def each(self, nodes: Sequence[Any] | None, scope: Scope) -> list[Typed]:
        return [self.type(node, scope) for node in nodes or ()]

    def boolean(self, node: Any, scope: Scope) -> None:
        if node is not None:
            self.parameters.become(self.type(node, scope), "bool")

    def window(self, over: Any, scope: Scope) -> None:
        self._calls.window(over, scope)

    def number(self, node: Any, scope: Scope) -> None:
        """LIMIT and OFFSET."""
        if node is not None:
            self.parameters.become(self.type(node, scope), "int8")

    def key(self, node: Any, scope: Scope) -> None:
        """ORDER BY, GROUP BY: what has no type is a text."""
        self.parameters.become(self.type(node, scope), "text")

    def type(self, node: Any, scope: Scope) -> Typed:
        match node:
            case ast.ParamRef():
                return self.parameters.reference(node.number, self.at(node))
            case ast.A_Const():
                return Typed(_constant(node))
            case ast.ColumnRef():
                return self._column(node, scope)
            case ast.TypeCast():
                return self._cast(node, scope)
            case ast.A_Expr():
                return self._expression(node, scope)
            case ast.BoolExpr():
                for argument in node.args:
                    self.boolean(argument, scope)
                return BOOL
            case ast.BooleanTest():
                self.boolean(node.arg, scope)
                return BOOL
            case ast.NullTest():
                self.type(node.arg, scope)
                return BOOL
            case ast.FuncCall():
                return self._calls.call(node, scope)
            case ast.CoalesceExpr() | ast.MinMaxExpr():
                word = "COALESCE" if isinstance(node, ast.CoalesceExpr) else node.op.name.removeprefix("IS_")
                return self.together(self.each(node.args, scope), word, self.at(node))
            case ast.CaseExpr():
                return self._case(node, scope)
            case ast.SubLink():
                return self._sublink(node, scope)
            case ast.A_ArrayExpr():
                return self._array(node, scope)
            case ast.RowExpr():
                self.each(node.args, scope)
                return Typed("record")
            case ast.SQLValueFunction():
                word = node.op.name.removeprefix("SVFOP_").removesuffix("_N")
                return Typed(_CLOCKS.get(word, "name"))
            case ast.CollateClause() | ast.NamedArgExpr():
                return self.type(node.arg, scope)
            case ast.A_Indirection():
                return self._indirection(node, scope)
            case ast.GroupingFunc():
                return Typed("int4")
            case _:
                return self.unknown_here()

    def _column(self, node: Any, scope: Scope) -> Typed:
        if isinstance(node.fields[-1], ast.A_Star):
            return NOTHING
        names = [part.sval for part in node.fields]
        kind = scope.column(names[0]) if len(names) == 1 else scope.qualified(names[-2], names[-1])
        return self.unknown_here() if kind is None else Typed(kind)

    def _cast(self, node: Any, scope: Scope) -> Typed:
        kind = type_of_name(node.typeName)
        if kind is None:
            self.type(node.arg, scope)
            return self.unknown_here()
        if isinstance(node.arg, ast.A_ArrayExpr) and types.is_array(kind):
            for element in node.arg.elements or ():
                self.parameters.become(self.type(element, scope), types.element_of(kind))
            return Typed(kind)
        self.parameters.become(self.type(node.arg, scope), kind)
        return Typed(kind)

    # -- operators -----------------------------------------------------------------------------

    def _expression(self, node: Any, scope: Scope) -> Typed:
        kind, name = node.kind, node.name[-1].sval
        if kind in _QUANTIFIED:
            return self.quantified(name, self.type(node.lexpr, scope), self.type(node.rexpr, scope), node)
        if kind in _BETWEEN:
            return self._between(node, scope)
        if kind == A_Expr_Kind.AEXPR_IN:
            return self._in_list(node, scope)
        if isinstance(node.lexpr, ast.RowExpr) and isinstance(node.rexpr, ast.RowExpr):
            return self.rows(name, node.lexpr.args or (), node.rexpr.args or (), scope, node)
        left = None if node.lexpr is None else self.type(node.lexpr, scope)
        right = self.type(node.rexpr, scope)
        result = self.operator(name, left, right, node)
        if kind == A_Expr_Kind.AEXPR_NULLIF:
            assert left is not None
            return self.parameters.retyped(left)
        return BOOL if kind in (A_Expr_Kind.AEXPR_DISTINCT, A_Expr_Kind.AEXPR_NOT_DISTINCT) else result

    def operator(self, name: str, left: Typed | None, right: Typed, node: Any) -> Typed:
        operands = [right] if left is None else [left, right]
        users = next((o.type for o in operands if types.is_of_user(o.type)), None)
        if users is not None and name in _COMPARISONS:
            for operand in operands:
                self.parameters.become(operand, users)
            return BOOL
        found = self._resolved(name, [o.type for o in operands], node)
        if found is None:
            return self.unknown_here()
        for operand, wanted in zip(operands, found.arguments, strict=True):
            self.parameters.become(operand, wanted)
        return Typed(found.result)

    def _resolved(self, name: str, operands: Sequence[Type], node: Any) -> Any:
        name = "<>" if name == "!=" else name
        known = [kind for kind in operands if kind is not None]
        if len(known) < len(operands) or name not in OPERATORS:
            return None
        try:
            return resolve.operator(OPERATORS[name], known)
        except resolve.AmbiguousError:
            shown = [types.display(kind) for kind in known]
            said = f" {name} ".join(shown) if len(shown) == 2 else f"{name} {shown[0]}"
            raise AmbiguousFunction(
                f"operator is not unique: {said}", hint=_AMBIGUOUS, position=self.at(node)
            ) from None

    def quantified(self, name: str, left: Typed, array: Typed, node: Any) -> Typed:
        """``x = ANY (array)``: the operator is between x and an element."""
        element = UNKNOWN if array.type == UNKNOWN else types.element_of(array.type)
        found = self._resolved(name, [left.type, element], node)
        if found is None:
            return self.unknown_here()
        self.parameters.become(left, found.arguments[0])
        self.parameters.become(array, types.array_of(found.arguments[1]))
        return BOOL

    def rows(self, name: str, left: Sequence[Any], right: Sequence[Any], scope: Scope, node: Any) -> Typed:
        pairs = [(self.type(a, scope), self.type(b, scope)) for a, b in zip(left, right, strict=False)]
        for a, b in pairs:
            self.operator(name, a, b, node)
        return BOOL

    def _between(self, node: Any, scope: Scope) -> Typed:
        low, high = node.rexpr
        bounds = (low, high, high, low)
        for name, bound in zip(_BETWEEN[node.kind], bounds, strict=False):
            self.operator(name, self.type(node.lexpr, scope), self.type(bound, scope), node)
        return BOOL

    def _in_list(self, node: Any, scope: Scope) -> Typed:
        """Members without columns are one array; the others are compared one by one."""
        if isinstance(node.lexpr, ast.RowExpr):
            for row in node.rexpr:
                self.rows("=", node.lexpr.args, getattr(row, "args", None) or (), scope, node)
            return BOOL
        tested = self.type(node.lexpr, scope)
        members = [(member, self.type(member, scope)) for member in node.rexpr]
        constant = [typed for member, typed in members if not _has_column(member)]
        single = [typed for member, typed in members if _has_column(member)]
        kinds = [typed.type for typed in (tested, *constant) if typed.type is not None]
        together = 1 < len(constant) == len(kinds) - 1
        wanted = common(kinds) if together else None
        if wanted is None or types.array_of(wanted) is None:
            single = [*constant, *single]
        else:
            for typed in constant:
                self.parameters.become(typed, wanted)
            self.operator("=", tested, Typed(wanted), node)
        for typed in single:
            self.operator("=", tested, typed, node)
        return BOOL

    # -- several values of one type ------------------------------------------------------------

    def together(self, members: Sequence[Typed], word: str, position: int | None) -> Typed:
        kinds = [m.type for m in members if m.type is not None]
        if len(kinds) < len(members):
            return self.unknown_here()
        wanted = common(kinds)
        if wanted is None:
            if not any(m.parameter for m in members):
                return self.unknown_here()  # the planner says what is wrong
            known = [k for k in kinds if k != UNKNOWN]
            shown = " and ".join(map(types.display, known[:2]))
            raise DatatypeMismatch(f"{word} types {shown} cannot be matched", position=position)
        for member in members:
            self.parameters.become(member, wanted)
        return Typed(wanted)

    def _case(self, node: Any, scope: Scope) -> Typed:
        tested = None if node.arg is None else self.type(node.arg, scope)
        if tested is not None and tested.type == UNKNOWN:
            self.parameters.become(tested, "text")
            tested = Typed("text")
        results = []
        for when in node.args:
            if tested is None:
                self.boolean(when.expr, scope)
            else:
                self.operator("=", tested, self.type(when.expr, scope), node)
            results.append(self.type(when.result, scope))
        default = Typed(UNKNOWN) if node.defresult is None else self.type(node.defresult, scope)
        return self.together([default, *results], "CASE", self.at(node))

    def _array(self, node: Any, scope: Scope) -> Typed:
        if not node.elements:
            return self.unknown_here()
        element = self.together(self.each(node.elements, scope), "ARRAY", self.at(node))
        return Typed(types.array_of(element.type))

    def _indirection(self, node: Any, scope: Scope) -> Typed:
        kind = self.type(node.arg, scope).type
        for part in node.indirection:
            if not isinstance(part, ast.A_Indices):
                return self.unknown_here()
            for index in (part.lidx, part.uidx):
                if index is not None:
                    self.parameters.become(self.type(index, scope), "int4")
            kind = kind if part.is_slice else types.element_of(kind)
        return self.unknown_here() if kind is None else Typed(kind)

    # -- subqueries ----------------------------------------------------------------------------

    def _sublink(self, node: Any, scope: Scope) -> Typed:
        columns = self._subquery(node.subselect, scope)
        first = None if not columns else columns[0].type
        match node.subLinkType:
            case SubLinkType.EXISTS_SUBLINK:
                return BOOL
            case SubLinkType.ARRAY_SUBLINK:
                return Typed(types.array_of(first))
            case SubLinkType.ANY_SUBLINK | SubLinkType.ALL_SUBLINK:
                name = node.operName[-1].sval if node.operName else "="
                tested = node.testexpr.args if isinstance(node.testexpr, ast.RowExpr) else (node.testexpr,)
                for left, column in zip(self.each(tested, scope), columns or (), strict=False):
                    self.operator(name, left, Typed(column.type), node)
                return BOOL if columns else self.unknown_here()
            case _:
                return self.unknown_here() if first is None else Typed(first)


def _has_column(node: Any) -> bool:
    from constellationdb.planner.rewrite.tree import nodes

    return any(isinstance(inner, ast.ColumnRef) for inner in nodes(node))


def _constant(node: Any) -> str:
    if node.isnull:
        return UNKNOWN
    match node.val:
        case ast.Integer():
            return "int4"
        case ast.Float(fval=text):
            return "int8" if text.isdigit() and int(text) < 1 << 63 else "numeric"
        case ast.Boolean():
            return "bool"
        case _:
            return UNKNOWN
