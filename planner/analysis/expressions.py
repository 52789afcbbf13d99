"""The walk over expressions: each node typed, checked, and where DataFusion would differ, said in another way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from pglast import ast
from pglast.enums import A_Expr_Kind, BoolExprType, NullTestType, SubLinkType

from constellationdb.catalog import types
from constellationdb.catalog.types import SqlType
from constellationdb.errors import (
    CannotCoerce,
    DatatypeMismatch,
    FeatureNotSupported,
    InvalidEscape,
    SqlSyntaxError,
    UndefinedColumn,
    UndefinedFunction,
    UndefinedObject,
    UndefinedParameter,
    WrongObjectType,
)
from constellationdb.planner import patterns
from constellationdb.planner.analysis import (
    array_functions,
    arrays,
    catalog_calls,
    conversions,
    equality,
    forms,
    jsonb,
    kinds,
    made_values,
    maps,
    maths,
    operators,
    printing,
    records,
    set_functions,
    texts,
)
from constellationdb.planner.analysis.functions import Calls
from constellationdb.planner.analysis.kinds import UNKNOWN, Kind
from constellationdb.planner.analysis.made_kinds import Made, fields_of, parts_of
from constellationdb.planner.analysis.scope import Column, Scope, Table, reference
from constellationdb.planner.analysis.typed import Place, Typed
from constellationdb.planner.analysis.user_calls import UserCalls
from constellationdb.planner.analysis.zoning import Zoning, unknown
from constellationdb.planner.rewrite.tree import (
    MADE,
    copied,
    last_name,
    nodes,
    parse_expression,
    parse_query,
    strings,
    to_sql,
)

NO_OPERATOR = "No operator matches the given name and argument types. You might need to add explicit type casts."
_BETWEEN = (A_Expr_Kind.AEXPR_BETWEEN, A_Expr_Kind.AEXPR_NOT_BETWEEN)
_SYMMETRIC = (A_Expr_Kind.AEXPR_BETWEEN_SYM, A_Expr_Kind.AEXPR_NOT_BETWEEN_SYM)
_QUANTIFIED = (A_Expr_Kind.AEXPR_OP_ANY, A_Expr_Kind.AEXPR_OP_ALL)
_EQUALITIES = (A_Expr_Kind.AEXPR_DISTINCT, A_Expr_Kind.AEXPR_NOT_DISTINCT, A_Expr_Kind.AEXPR_NULLIF)
_LIKES = (A_Expr_Kind.AEXPR_LIKE, A_Expr_Kind.AEXPR_ILIKE, A_Expr_Kind.AEXPR_SIMILAR)

_FLOATS = (kinds.REAL, kinds.DOUBLE)
_CLOCKS = frozenset(f"SVFOP_CURRENT_{word}" for word in ("DATE", "TIME", "TIMESTAMP")) | {"SVFOP_LOCALTIMESTAMP"}
_COLLATIONS = frozenset({"default", "C", "POSIX", "ucs_basic"})
_REGEXES = frozenset({"~", "~*", "!~", "!~*"})
_LISTS = ("SELECT", "RETURNING", "UPDATE")  # where IN is a value, not a condition

_KEYS = ("GROUP BY", "ORDER BY")  # where EXISTS is one, too

Element = Callable[[Typed, Typed, "int | None"], Typed]
Subquery = Callable[[Any, Scope], "tuple[Column, ...] | None"]


class Expressions:
    """``query`` analyses a subquery and gives its columns; ``signatures``: calls as messages name them, by location."""

    def __init__(
        self,
        query: Subquery,
        offset: int,
        *,
        zoning: Zoning,
        checked: bool = False,
        unnesting: bool = False,
        functions: UserCalls | None = None,
    ) -> None:
        self._query = query
        self.zoning = zoning
        self.unsure = False  # there is a cast that might depend on the zone, for all that is known of its types
        self.checked = checked
        self._unnesting = unnesting
        self._known: dict[int, Typed] = {}  # nodes that are analysed already, by identity
        self._outer: list[Any] = []  # columns of queries around the one that is being read
        self.correlated = self.asking = self.doubtful = self.guarded = False
        self._offset = offset
        self._users = functions
        self._calls = Calls(self, functions)
        self.signatures: dict[int, str] = {}

    @property
    def outer_columns(self) -> int:
        """How many columns of queries around it the subquery has mentioned so far."""
        return len(self._outer)

    def at(self, node: Any) -> int | None:
        location = getattr(node, "location", None)
        return None if location is None or location < 0 else location + self._offset + 1

    def many(self, nodes: Sequence[Any] | None, place: Place) -> tuple[Any, ...]:
        return tuple(self.expression(node, place).node for node in nodes or ())

    def boolean(self, node: Any, what: str, place: Place) -> Any:
        """``node`` as the argument of WHERE, NOT, …"""
        position = self.at(node)
        typed = self.expression(node, place)
        if typed.kind == UNKNOWN and isinstance(typed.node, ast.A_Const):
            return texts.typed(typed.node, kinds.BOOLEAN, position)
        if typed.kind not in (None, UNKNOWN, kinds.BOOLEAN):
            raise DatatypeMismatch(f"argument of {what} must be type boolean, not type {typed.kind}", position=position)
        return typed.node

    def condition(self, node: Any, what: str, place: Place) -> Any:
        """A WHERE or JOIN condition; ``(a, b) [NOT] IN (SELECT …)`` at its top is a plain EXISTS."""
        if isinstance(node, ast.BoolExpr) and node.boolop != BoolExprType.NOT_EXPR:
            word = node.boolop.name.removesuffix("_EXPR")
            node.args = tuple(self.condition(argument, word, place) for argument in node.args)
            return node
        negated = isinstance(node, ast.BoolExpr) and forms.is_row_in(node.args[0])
        if negated or forms.is_row_in(node):
            return self._row_in(node.args[0] if negated else node, place, negated=negated)
        return self.boolean(node, what, place)

    def expression(self, node: Any, place: Place) -> Typed:
        if id(node) in self._known:
            return self._known[id(node)]
        typed = self._typed(node, place)
        if self.checked and typed.kind in _FLOATS and forms.is_value(typed.node):
            return replace(typed, node=forms.canonical(typed.node, typed.kind))
        return typed

    def _typed(self, node: Any, place: Place) -> Typed:
        match node:
            case ast.A_Const():
                return Typed(node, _constant_kind(node), constant=True)
            case ast.ColumnRef():
                return self._column(node, place)
            case ast.TypeCast():
                return self._cast(node, place)
            case ast.A_Expr():
                return self._operator(node, place)
            case ast.BoolExpr():
                word = node.boolop.name.removesuffix("_EXPR")
                node.args = tuple(self.boolean(argument, word, place) for argument in node.args)
                return Typed(node, kinds.BOOLEAN)
            case ast.CaseExpr():
                return self._case(node, place)
            case ast.CoalesceExpr() | ast.MinMaxExpr():
                what = "COALESCE" if isinstance(node, ast.CoalesceExpr) else node.op.name.removeprefix("IS_")
                members = [self.expression(argument, place) for argument in node.args]
                node.args, kind = self.settle(members, what, [self.at(argument) for argument in node.args])
                if equality.is_sorted_by_key(kind) and what != "COALESCE":
                    return Typed(equality.first_of(what, node.args, kind), kind)
                return Typed(node, kind, whole=all(member.is_whole for member in members))
            case ast.FuncCall():
                return self._calls.call(node, place)
            case ast.SubLink():
                return self._sublink(node, place)
            case ast.NullTest() | ast.BooleanTest():
                tested = self.expression(node.arg, place)
                node.arg = tested.node
                if isinstance(node, ast.NullTest) and records.is_row(tested.kind):
                    return Typed(records.null_test(tested, node.nulltesttype), kinds.BOOLEAN)
                return Typed(node, kinds.BOOLEAN)
            case ast.RowExpr():
                return self._row(node, place)
            case ast.SQLValueFunction() if node.op.name.removesuffix("_N") not in _CLOCKS:
                word = node.op.name.removeprefix("SVFOP_").lower()
                made = catalog_calls.answered(word, [], self.at(node))
                if made is None:
                    raise FeatureNotSupported(f"{word} is not supported", position=self.at(node))
                return made
            case ast.SQLValueFunction() if node.op.name.startswith("SVFOP_CURRENT_TIMESTAMP"):
                return Typed(kinds.cast(node, kinds.TIMESTAMPTZ), kinds.TIMESTAMPTZ)
            case ast.SQLValueFunction() if node.op.name.startswith("SVFOP_LOCALTIMESTAMP"):
                now = kinds.cast(forms.call("now"), kinds.TIMESTAMPTZ)
                return Typed(self.zoning.local(now), kinds.TIMESTAMP)
            case ast.SQLValueFunction() if self.zoning.explicit:  # CURRENT_DATE and CURRENT_TIME
                kind = kinds.DATE if node.op.name == "SVFOP_CURRENT_DATE" else kinds.TIME
                now = kinds.cast(forms.call("now"), kinds.TIMESTAMPTZ)
                return Typed(kinds.cast(self.zoning.local(now), kind), kind)
            case ast.CollateClause():
                return self._collate(node, place)
            case ast.A_ArrayExpr():
                elements, kind = self.together(node.elements or (), "ARRAY", place)
                return array_functions.constructed(elements, kind, node)
            case ast.A_Indirection():
                return self._indirection(node, place)
            case ast.ParamRef():
                raise UndefinedParameter(f"there is no parameter ${node.number}", position=self.at(node))
            case _:
                return Typed(self._inside(node, place), None)

    def _inside(self, node: Any, place: Place) -> Any:
        """A node of no interest, its children analysed."""
        if isinstance(node, tuple | list):
            return self.many(node, place)
        if isinstance(node, ast.Node):
            for name in node:
                value = getattr(node, name)
                if isinstance(value, ast.Node | tuple | list):
                    setattr(node, name, self.expression(value, place).node)
        return node

    def _whole(self, node: Any, place: Place) -> Typed:
        """An item of FROM as a value: the one column of a function that returns a set."""
        table = place.scope.table(strings(node)[0])
        if table is None:
            raise place.scope.missing(strings(node)[0], self.at(node))
        if table.columns is None:  # perhaps there is no such relation, which is said later
            return Typed(node, None)
        if table.single:
            node.fields = (*node.fields, ast.String(sval=table.columns[0].name))
            return self._column(node, place)
        made = records.row(self._members(node, place), [column.name for column in table.columns], self.at(node))
        return self._joined_row(made, table, node) if table.nullable else made

    def _members(self, node: Any, place: Place) -> list[Typed]:
        """The columns of the table that ``node`` names."""
        alias = strings(node)[0]
        table = place.scope.table(alias)
        return [
            self._column(ast.ColumnRef(fields=(ast.String(sval=alias), ast.String(sval=column.name))), place)
            for column in (table.columns if table is not None else None) or ()
        ]

    def _joined_row(self, made: Typed, table: Table, node: Any) -> Typed:
        """Where an outer join found no row, the row is NULL, and not one of NULLs."""
        keys = [m.node for c, m in zip(table.columns or (), made.members, strict=True) if c.name in table.key]
        if not keys:
            raise FeatureNotSupported(
                "a whole row of the side of an outer join that may be missing is not supported"
                " where it has no primary key",
                hint="say its columns: ROW(t.a, t.b)",
                position=self.at(node),
            )
        text = f"CASE WHEN ({to_sql(keys[0])}) IS NOT NULL THEN {to_sql(made.node)} END"
        return replace(made, node=parse_expression(text))

    def _row(self, node: Any, place: Place) -> Typed:
        """ROW(a, t.*)."""
        members: list[Typed] = []
        for part in node.args or ():
            if isinstance(part, ast.ColumnRef) and isinstance(part.fields[-1], ast.A_Star) and len(part.fields) == 2:
                members += self._members(part, place)
            else:
                members.append(self.expression(part, place))
        if place.scope.visible is None and any(member.kind is None for member in members):
            node.args = tuple(member.node for member in members)
            return Typed(node, None)
        return records.row(members, records.numbered(len(members)), self.at(node))

    def rows_fields(self, node: Any, place: Place) -> list[tuple[str, Typed]] | None:
        """The columns that ``(row).*`` stands for; None where it is none."""
        if not isinstance(node, ast.A_Indirection) or not isinstance(node.indirection[-1], ast.A_Star):
            return None
        inner = (
            node.arg
            if len(node.indirection) == 1
            else ast.A_Indirection(arg=node.arg, indirection=node.indirection[:-1])
        )
        typed = self.expression(inner, place)
        if typed.kind is None:
            return None
        if not records.is_row(typed.kind):
            raise WrongObjectType(f"type {typed.kind} is not composite", position=self.at(node.arg))
        return records.fields(typed)

    def _column(self, node: Any, place: Place) -> Typed:
        names = strings(node)
        if len(names) == 1 and len(node.fields) == 2:
            return self._whole(node, place)
        if len(names) != len(node.fields) or len(names) > 2:
            return Typed(node, None)
        if len(names) == 1:
            visible = place.scope.named(names[0])
            if visible is None and place.scope.visible is not None and place.scope.table(names[0]) is not None:
                return self._whole(node, place)
            if visible is None:
                self._check_body(names[0], place)
                return Typed(node, None)
            column = visible.column
            said = visible.node if visible.merged or self._unnesting else node
            if any(isinstance(part, ast.ColumnRef) for part in nodes(said)):  # no constant that a function was given
                self._note(said if visible.merged else node, visible in (place.scope.visible or ()), place)
            return Typed(said, column.kind, whole=column.whole)
        table = place.scope.table(names[0])
        if table is None:
            raise place.scope.missing(names[0], self.at(node))
        if table.merged:
            return self._merged(node, table, place)
        self._note(node, table in place.scope.tables, place)
        if self._unnesting:
            node = reference(table.name, names[1])
        found = [c for c in table.columns or () if c.name == names[1]]
        return Typed(node, found[0].kind, whole=found[0].whole) if len(found) == 1 else Typed(node, None)

    def _merged(self, node: Any, table: Table, place: Place) -> Typed:
        """A column by the alias that USING has."""
        name = strings(node)[-1]
        for visible in table.merged:
            if visible.column.name == name:
                self._note(visible.node, table in place.scope.tables, place)
                return Typed(copied(visible.node), visible.column.kind, whole=visible.column.whole)
        raise UndefinedColumn(f"column {table.alias}.{name} does not exist", position=self.at(node))

    def _check_body(self, name: str, place: Place) -> None:
        """What a function's body reads may have lost a column since: one of the caller's must not be taken for it."""
        inside = self._users is not None and self._users.inside
        if inside and place.clause not in _KEYS and place.scope.lacks(name):
            raise UndefinedColumn(f'column "{name}" does not exist')

    def _note(self, node: Any, own: bool, place: Place) -> None:
        if not own and place.scope.parent is not None:
            self.correlated = True
            self._outer.append(node)

    def _collate(self, node: Any, place: Place) -> Typed:
        """The one collation there is, by its names."""
        name = node.collname[-1].sval
        if name not in _COLLATIONS:
            message = f'collation "{name}" for encoding "UTF8" does not exist'
            raise UndefinedObject(message, position=self.at(node))
        typed = self.expression(node.arg, place)
        if typed.kind not in (None, UNKNOWN, *kinds.TEXTS):
            raise DatatypeMismatch(f"collations are not supported by type {typed.kind}", position=self.at(node))
        return typed

    def _indirection(self, node: Any, place: Place) -> Typed:
        """Subscripts, slices and fields of a value, one behind the other."""
        typed = self.expression(node.arg, place)
        for step in node.indirection:
            position = self.at(node.arg)
            if isinstance(step, ast.String):
                found = set_functions.field(typed, step.sval, position)
                if typed.kind is None:
                    return Typed(node, None)
                if found is None and not records.is_row(typed.kind):
                    raise WrongObjectType(
                        f"column notation .{step.sval} applied to type {typed.kind}, which is not a composite type",
                        position=position,
                    )
                if found is None and _names_table(node.arg, place) and step.sval not in dict(fields_of(typed.kind)):
                    raise UndefinedColumn(
                        f"column {strings(node.arg)[0]}.{step.sval} does not exist", position=position
                    )
                typed = found or records.field(typed, step.sval, position)
            elif not isinstance(step, ast.A_Indices):
                raise FeatureNotSupported("a row as a value is not supported", position=position)
            elif step.is_slice and maps.is_map(typed.kind):
                raise DatatypeMismatch(f"type {typed.kind} has no slices", position=position)
            elif step.is_slice:
                lower, upper = (
                    None if bound is None else self.expression(bound, place).node for bound in (step.lidx, step.uidx)
                )
                typed = array_functions.slice_of(typed, lower, upper, position)
            else:
                element: Element = jsonb.element if typed.kind == kinds.JSONB else array_functions.element
                if maps.is_map(typed.kind):
                    element = maps.element
                typed = element(typed, self.expression(step.uidx, place), position)
        return typed

    def _cast(self, node: Any, place: Place) -> Typed:
        position = self.at(node.arg)
        kind = kinds.of_type_name(node.typeName, self.at(node.typeName))
        if isinstance(node.arg, ast.A_ArrayExpr) and kind is not None and kind.endswith("[]"):
            return self._array_of(node, kind, place)
        argument = self.expression(node.arg, place)
        if records.is_row(kind) and isinstance(kind, Made) and argument.members:
            return self._cast_row(argument, kind, node)
        if argument.kind != kind:
            self.refuse_zoned(kind, "a cast", position)
        if records.is_row(argument.kind) and kind in kinds.TEXTS:
            self.refuse_zoned(argument.kind, "a cast to text", position)
        node.arg = argument.node
        if kind is None:
            return self._cut(node, argument.kind)
        if conversions.is_carried(kind):
            made = conversions.converted(argument, kind, position if argument.constant else self.at(node))
            return Typed(made, kind, argument.constant)
        self._check_cast(argument.kind, kind, self.at(node))
        if (moved := self.zoning.cast(node.arg, argument.kind, kind)) is not None:
            return Typed(moved, kind, argument.constant)
        if argument.kind is None and kind in (*kinds.MOMENTS, kinds.TIME, kinds.TEXT):
            self.doubt_zone(node)
        if kind in (kinds.TEXT, kinds.DATE):
            node.typeName.names = node.typeName.names[-1:]  # DataFusion knows no schema of types
        if isinstance(node.arg, ast.A_Const) and isinstance(node.arg.val, ast.Float) and kind in _FLOATS:
            node.arg = ast.A_Const(isnull=False, val=ast.String(sval=node.arg.val.fval))  # exact: not by way of numeric
        if isinstance(node.arg, ast.A_Const) and isinstance(node.arg.val, ast.String):
            if kind == kinds.TEXT and node.location == MADE:
                return Typed(node.arg, kind, constant=True)  # a parameter, as good as a constant
            read = texts.typed(node.arg, kind, position)
            if kind in (*kinds.MOMENTS, kinds.TIME) and isinstance(read, ast.TypeCast):
                node.arg = read.arg
            elif kind in (kinds.BOOLEAN, kinds.INTERVAL, kinds.BYTEA) or kind in kinds.INTEGERS:
                return Typed(read, kind, constant=True)
        elif argument.kind in (*kinds.OIDS, kinds.CHAR) and kind in kinds.INTEGERS:
            return Typed(kinds.cast(node.arg, kind), kind)
        elif kind in kinds.INTEGERS:
            node.arg = forms.rounded(node.arg, argument.kind)
        elif kind == kinds.REAL and argument.kind in (kinds.NUMERIC, kinds.DOUBLE):
            node.arg = forms.call("con_real", kinds.cast(node.arg, kinds.DOUBLE))
        elif kind == kinds.NUMERIC and argument.kind in (*_FLOATS, kinds.NUMERIC) and forms.is_made_text(node.arg):
            node.arg = forms.text(format(Decimal(node.arg.arg.val.sval), "f"))  # exact: not by way of a double
        elif kind == kinds.TEXT:
            node.arg = printing.printed(node.arg, argument.kind)
        return Typed(node, kind, argument.constant)

    def _cast_row(self, row: Typed, kind: Made, node: Any) -> Typed:
        """ROW(…)::type: each field is cast."""
        wanted = kind.sql_type.fields
        if len(row.members) != len(wanted):
            word = "few" if len(row.members) < len(wanted) else "many"
            raise CannotCoerce(
                f"cannot cast type {row.kind} to {kind}",
                detail=f"Input has too {word} columns.",
                position=self.at(node),
            )
        members = [self.as_field(m, sql_type) for m, (_, sql_type) in zip(row.members, wanted, strict=True)]
        return records.row(members, [name for name, _ in wanted], self.at(node), kind)

    def as_field(self, member: Typed, sql_type: SqlType) -> Typed:
        """What is analysed already, once more behind a cast."""
        if kinds.of_sql_type(sql_type) == member.kind and sql_type.typmod < 0:
            return member
        known = self._known
        self._known = {**known, id(member.node): member}
        try:
            name = kinds.declared_name(sql_type)
            return self._cast(ast.TypeCast(arg=member.node, typeName=name, location=-1), Place(Scope(), "SELECT"))
        finally:
            self._known = known

    def refuse_zoned(self, kind: Kind, what: str, position: int | None) -> None:
        """A row is carried with its instants in UTC: as text it would show them so."""
        if self.zoning.explicit and any(inner.arrow == types.TIMESTAMPTZ.arrow for inner in parts_of(kind)):
            raise FeatureNotSupported(
                f"{what} of a row with a timestamp with time zone is only supported in UTC",
                hint="SET TIME ZONE 'UTC'",
                position=position,
            )

    def _array_of(self, node: Any, kind: str, place: Place) -> Typed:
        """ARRAY[…]::type[]: each element is cast."""
        name = copied(node.typeName)
        name.arrayBounds = None
        casts = [ast.TypeCast(arg=member, typeName=copied(name)) for member in node.arg.elements or ()]
        made = [self._cast(member, place).node for member in casts]
        return Typed(kinds.cast(ast.A_ArrayExpr(elements=tuple(made)), kind), kind)

    def _cut(self, node: Any, found: Kind) -> Typed:
        """A cast to a type this package has no name for; varchar(n) keeps n characters."""
        name, size = node.typeName.names[-1].sval, node.typeName.typmods
        if name == "bpchar" and size and forms.is_integer(size[0]) and size[0].val.ival == 1:
            single = forms.call("left", kinds.cast(printing.printed(node.arg, found), kinds.TEXT), size[0])
            return Typed(single, kinds.BPCHAR)
        if name == "bpchar" and size:
            raise FeatureNotSupported("character(n) is not supported", hint="cast to text or varchar(n)")
        if name == "varchar":
            node.arg = printing.printed(node.arg, found)
        if name == "varchar" and size:
            return Typed(forms.call("left", kinds.cast(node.arg, kinds.TEXT), size[0]), kinds.TEXT)
        return (
            Typed(kinds.cast(node.arg, kinds.TEXT), kinds.TEXT) if name in ("varchar", "bpchar") else Typed(node, None)
        )

    def doubt_zone(self, node: Any) -> None:
        """There is no telling whether ``node`` depends on the zone; a constant is computed before a plan tells."""
        self.unsure |= self.zoning.explicit
        if self.zoning.explicit and not any(isinstance(inner, ast.ColumnRef) for inner in nodes(node)):
            raise unknown(self.at(node))

    def _doubt_meeting(self, found: set[Kind]) -> None:
        """Values meet that might be moments with and without a zone."""
        self.unsure |= self.zoning.explicit and None in found and not found.isdisjoint((*kinds.MOMENTS, kinds.INTERVAL))

    def _check_cast(self, found: Kind, wanted: str, position: int | None) -> None:
        if kinds.no_cast(found, wanted):
            raise CannotCoerce(f"cannot cast type {found} to {wanted}", position=position)

    # -- operators -----------------------------------------------------------------------------

    def _operator(self, node: Any, place: Place) -> Typed:
        if node.kind == A_Expr_Kind.AEXPR_IN:
            members, kind = self.together((node.lexpr, *node.rexpr), None, place)
            members = tuple(equality.key(member, kind) for member in members)
            node.lexpr, node.rexpr = members[0], members[1:]
            return Typed(node, kinds.BOOLEAN)
        if node.kind in _BETWEEN or node.kind in _SYMMETRIC:
            members, kind = self.together((node.lexpr, *node.rexpr), None, place)
            node.lexpr, *bounds = (equality.sort_key(member, kind) for member in members)
            node.rexpr = tuple(bounds)
            return Typed(forms.symmetric(node) if node.kind in _SYMMETRIC else node, kinds.BOOLEAN)
        if node.kind in _EQUALITIES:
            sides, kind = self.together((node.lexpr, node.rexpr), None, place)
            if node.kind == A_Expr_Kind.AEXPR_NULLIF and equality.is_keyed(kind):
                return Typed(equality.null_if(sides[0], sides[1], kind), kind)
            node.lexpr, node.rexpr = (equality.key(side, kind) for side in sides)
            return Typed(node, kind if node.kind == A_Expr_Kind.AEXPR_NULLIF else kinds.BOOLEAN)
        if node.kind in _LIKES:
            return self._like(node, place)
        if len(node.name) > 1 and node.name[0].sval == "pg_catalog":
            node.name = node.name[-1:]
        if node.kind in _QUANTIFIED:
            return self._quantified(node, place)
        if node.kind != A_Expr_Kind.AEXPR_OP or len(node.name) > 1:
            return Typed(self._inside(node, place), None)
        if node.lexpr is None:
            return self._unary(node, place)
        return self._binary(node, self.expression(node.lexpr, place), self.expression(node.rexpr, place))

    def _quantified(self, node: Any, place: Place) -> Typed:
        """``x op ANY (array)`` and ``x op ALL (array)``."""
        if (made := arrays.expanded(node, self.at(node))) is not None:
            return Typed(self.expression(made, place).node, kinds.BOOLEAN)
        some, operator = node.kind == A_Expr_Kind.AEXPR_OP_ANY, node.name[-1].sval
        if (some, operator) in ((True, "="), (False, "<>")):
            test, array = self.expression(node.lexpr, place), self.expression(node.rexpr, place)
            equality.refuse("ANY and ALL", (array.kind,), self.at(node))
            found = array_functions.member(test, array, self.at(node))
            return Typed(found if some else ast.BoolExpr(boolop=BoolExprType.NOT_EXPR, args=(found,)), kinds.BOOLEAN)
        rows = parse_query("SELECT unnest(__array)")
        rows.targetList[0].val.args = (copied(node.rexpr),)
        kind = SubLinkType.ANY_SUBLINK if some else SubLinkType.ALL_SUBLINK
        link = ast.SubLink(
            subLinkType=kind, testexpr=node.lexpr, operName=node.name, subselect=rows, location=node.location
        )
        tested = self.expression(link, place).node
        missing = ast.NullTest(arg=copied(node.rexpr), nulltesttype=NullTestType.IS_NULL, argisrow=False)
        when = ast.CaseWhen(expr=self.expression(missing, place).node, result=ast.A_Const(isnull=True))
        return Typed(ast.CaseExpr(args=(when,), defresult=tested), kinds.BOOLEAN)

    def _like(self, node: Any, place: Place) -> Typed:
        if node.kind == A_Expr_Kind.AEXPR_SIMILAR:
            return self._similar(node, place)
        if isinstance(node.rexpr, ast.FuncCall) and last_name(node.rexpr) == "like_escape":
            node.rexpr = forms.escaped(node.rexpr)
        left, right = self.expression(node.lexpr, place), self.expression(node.rexpr, place)
        if any(side.kind not in (None, UNKNOWN, *kinds.TEXTS) for side in (left, right)):
            message = f"operator does not exist: {left.kind} {node.name[0].sval} {right.kind}"
            raise UndefinedFunction(message, hint=NO_OPERATOR, position=self.at(node))
        node.lexpr, node.rexpr = left.node, right.node
        return Typed(node, kinds.BOOLEAN)

    def _similar(self, node: Any, place: Place) -> Typed:
        """As a regular expression, by a constant pattern."""
        given = [argument.arg if forms.is_made_text(argument) else argument for argument in node.rexpr.args]
        if not all(isinstance(a, ast.A_Const) and (a.isnull or isinstance(a.val, ast.String)) for a in given):
            message = "SIMILAR TO with a pattern that is no constant is not supported"
            raise FeatureNotSupported(message, hint="use LIKE or ~", position=self.at(node))
        pattern, escape = ast.A_Const(isnull=True), "\\"
        if len(given) > 1:
            escape = "" if given[1].isnull else given[1].val.sval
        if len(escape) > 1:
            raise InvalidEscape("invalid escape string", hint="Escape string must be empty or one character.")
        if not any(a.isnull for a in given):
            pattern = forms.text(patterns.similar(given[0].val.sval, escape))
        node.kind = A_Expr_Kind.AEXPR_OP
        return self._binary(node, self.expression(node.lexpr, place), Typed(pattern, kinds.TEXT, constant=True))

    def _unary(self, node: Any, place: Place) -> Typed:
        operand = self.expression(node.rexpr, place)
        name = node.name[0].sval
        if name == "-" and operand.constant and operand.kind in kinds.INTEGERS:
            zero = Typed(forms.integer(0), operand.kind, constant=True)
            return self._binary(node, zero, operand)
        if name in "+-" and operand.kind in (kinds.BOOLEAN, *kinds.TEXTS, *kinds.MOMENTS):
            raise UndefinedFunction(
                f"operator does not exist: {name} {operand.kind}", hint=NO_OPERATOR, position=self.at(node)
            )
        if name == "+" and operand.kind in kinds.NUMBERS:
            return operand
        if name == "~" and operand.kind in kinds.INTEGERS:
            node.name = (ast.String(sval="#"),)
            return self._binary(node, operand, Typed(forms.integer(-1), operand.kind, constant=True))
        if name == "-" and self.checked and operand.kind in kinds.INTEGERS:
            assert operand.kind is not None
            return Typed(forms.negated(operand.node, operand.kind), operand.kind)
        node.rexpr = operand.node
        return Typed(node, operand.kind if name in "+-" else None, operand.constant)

    def _binary(self, node: Any, left: Typed, right: Typed) -> Typed:
        name = node.name[0].sval
        if (made := jsonb.operated(name, left, right, self.at(node))) is not None:
            return made
        left, right = self._read_made(left, right.kind), self._read_made(right, left.kind)
        if (made := records.compared(name, left, right, self.at(node))) is not None:
            return made
        if (made := made_values.operated(name, left, right, self.at(node))) is not None:
            return made
        if name == "||":
            left, right = _null_text(left, right.kind), _null_text(right, left.kind)
        left, right = self._read_literal(name, left, right.kind), self._read_literal(name, right, left.kind)
        if not operators.exists(name, left.kind, right.kind):
            raise UndefinedFunction(
                f"operator does not exist: {left.kind} {name} {right.kind}", hint=NO_OPERATOR, position=self.at(node)
            )
        if (moved := self.zoning.moved(name, (left.node, left.kind), (right.node, right.kind))) is not None:
            return Typed(moved, kinds.TIMESTAMPTZ, left.constant and right.constant)
        if left.kind == right.kind == kinds.JSONB and name not in ("=", "<>"):
            raise FeatureNotSupported("the order of jsonb values is not supported", position=self.at(node))
        if name in operators.COMPARISONS and kinds.is_array(left.kind) and kinds.is_array(right.kind):
            found = equality.compared_arrays(left.node, right.node, (left.kind, right.kind), self.at(node))
            left, right = (
                Typed(side, kinds.TEXT, old.constant) for side, old in zip(found, (left, right), strict=True)
            )
        if left.kind == right.kind == kinds.JSONB:
            left, right = (replace(side, node=equality.key(side.node, side.kind)) for side in (left, right))
        self._doubt_meeting({left.kind, right.kind})
        left, right = self._meet(name, left, right), self._meet(name, right, left)
        kind = operators.result(name, left.kind, right.kind)
        if name == "||" and kinds.is_array(kind):
            return self._array_joined(left, right, kind)
        if name in operators.CONTAINMENT and kind == kinds.BOOLEAN:
            return Typed(array_functions.contained(name, left, right), kind)
        if name in _REGEXES:
            right = replace(right, node=forms.regex(right.node))
        if name == "||" and kind == kinds.TEXT:
            left, right = (replace(side, node=printing.printed(side.node, side.kind)) for side in (left, right))
        constant = left.constant and right.constant
        if (passed := self.zoning.between(name, (left.node, left.kind), (right.node, right.kind))) is not None:
            return Typed(passed, kinds.INTERVAL, constant)
        if name == "^" and kind == kinds.DOUBLE:
            return Typed(maths.power(left.node, right.node), kind, constant)
        if name == "/" and kind == kinds.NUMERIC:
            return Typed(maths.quotient(left.node, right.node, whole=left.is_whole), kind, constant)
        checked = constant or self.checked
        if self.checked and name in operators.ARITHMETIC:
            self._refuse_untyped(node, left, right)
        made = forms.binary(name, (left.node, left.kind), (right.node, right.kind), kind, checked=checked)
        if made is not None:
            return Typed(made, kind, constant)
        node.lexpr, node.rexpr = left.node, right.node
        return Typed(node, kind, constant, whole=left.is_whole and right.is_whole)

    def _read_made(self, operand: Typed, other: Kind) -> Typed:
        """A literal beside a row, an enum or a map is one, too."""
        constant = isinstance(operand.node, ast.A_Const) and not operand.node.isnull
        if constant and operand.kind == UNKNOWN:
            self.refuse_zoned(other, "a literal", self.at(operand.node))
        if operand.kind != UNKNOWN or not constant or not isinstance(other, Made) or other == "record":
            return operand
        return Typed(texts.typed(operand.node, other, self.at(operand.node)), other, constant=True)

    def _meet(self, name: str, operand: Typed, other: Typed) -> Typed:
        """An operand as what Postgres makes of it beside the other: a numeric beside a double becomes one, too."""
        if name in operators.COMPARISONS and operand.kind == other.kind == kinds.TIME:
            return replace(operand, node=forms.as_time(operand.node, operand.kind))
        if name not in operators.COMPARISONS and name not in operators.ARITHMETIC:
            return operand
        if operand.kind == kinds.NUMERIC and other.kind in _FLOATS:
            return replace(operand, node=forms.as_float(operand.node, kinds.DOUBLE), kind=kinds.DOUBLE)
        if (met := self.zoning.met(operand.node, operand.kind, other.kind)) is not operand.node:
            return replace(operand, node=met, kind=kinds.TIMESTAMPTZ)
        return operand

    def _array_joined(self, left: Typed, right: Typed, kind: Kind) -> Typed:
        """A literal beside an array is an array, too."""
        sides = [
            replace(side, node=texts.typed(side.node, kind, self.at(side.node)), kind=kind)
            if side.kind == UNKNOWN and isinstance(side.node, ast.A_Const) and kind is not None and not side.node.isnull
            else side
            for side in (left, right)
        ]
        return array_functions.joined(*sides)

    def _refuse_untyped(self, node: Any, *operands: Typed) -> None:
        """Nothing would check the arithmetic of what has no type known here."""
        if any(operand.kind is None for operand in operands):
            raise FeatureNotSupported(
                "arithmetic with a value whose type is not known here is not supported",
                hint="cast it, as in value::bigint",
                position=self.at(node),
            )

    def _read_literal(self, name: str, operand: Typed, other: Kind) -> Typed:
        """A string beside a number, date, … is read as one."""
        if operand.kind != UNKNOWN or not isinstance(operand.node, ast.A_Const):
            return operand
        if other in (None, UNKNOWN, *kinds.TEXTS) and other != kinds.CHAR:
            return operand
        if name == "+" and other in (kinds.TIMESTAMP, kinds.TIMESTAMPTZ) and not operand.node.isnull:
            return Typed(
                texts.typed(operand.node, kinds.INTERVAL, self.at(operand.node)), kinds.INTERVAL, constant=True
            )
        arithmetic = name in operators.ARITHMETIC and other in kinds.NUMBERS
        arithmetic |= name == "-" and other in kinds.MOMENTS
        joined = name == "||" and other == kinds.BYTEA
        contained = name in operators.CONTAINMENT and kinds.is_array(other)
        if operand.node.isnull or not (arithmetic or joined or contained or name in operators.COMPARISONS):
            return operand
        assert other is not None
        return Typed(texts.typed(operand.node, other, self.at(operand.node)), other, constant=True)

    def together(self, nodes: Sequence[Any], what: str | None, place: Place) -> tuple[tuple[Any, ...], Kind]:
        """Expressions that must be of one type; ``what`` names them in the error, None says it with ``=``."""
        typed = [self.expression(node, place) for node in nodes]
        return self.settle(typed, what, [self.at(node) for node in nodes])

    def settle(
        self, typed: Sequence[Typed], what: str | None, positions: Sequence[int | None]
    ) -> tuple[tuple[Any, ...], Kind]:
        if pair := kinds.clash(t.kind for t in typed):
            if what is None:
                message = f"operator does not exist: {pair[0]} = {pair[1]}"
                raise UndefinedFunction(message, hint=NO_OPERATOR, position=positions[-1])
            raise DatatypeMismatch(f"{what} types {pair[0]} and {pair[1]} cannot be matched", position=positions[-1])
        kind = kinds.unify(t.kind for t in typed)
        self._doubt_meeting({t.kind for t in typed})
        made = []
        for member, position in zip(typed, positions, strict=True):
            node = member.node
            if kind not in (None, UNKNOWN) and member.kind == UNKNOWN and isinstance(node, ast.A_Const):
                assert kind is not None
                self.refuse_zoned(kind, "a literal", position)
                node = texts.typed(node, kind, position)
            elif isinstance(kind, Made) and maps.is_map(kind) and member.kind not in (kind, UNKNOWN):
                node = conversions.converted(member, kind, position)
            elif kind in _FLOATS and member.kind == kinds.NUMERIC:
                node = forms.as_float(node, kinds.DOUBLE if what is None or kind is None else kind)
            elif kind == kinds.INTEGER and what is not None:
                node = forms.as_integer(node)
            else:
                node = self.zoning.met(node, member.kind, kind)
            made.append(node)
        return tuple(made), kind

    def _case(self, node: Any, place: Place) -> Typed:
        if node.arg is None:
            for when in node.args:
                when.expr = self.boolean(when.expr, "CASE/WHEN", place)
        else:
            sides, kind = self.together((node.arg, *(when.expr for when in node.args)), None, place)
            node.arg, *tests = (equality.key(side, kind) for side in sides)
            for when, test in zip(node.args, tests, strict=True):
                when.expr = test
        others = [node.defresult] if node.defresult is not None else []  # which Postgres looks at first
        settled, kind = self.together([*others, *(when.result for when in node.args)], "CASE", place)
        if others:
            node.defresult = settled[0]
        for when, result in zip(node.args, settled[len(others) :], strict=True):
            when.result = result
        return Typed(node, kind)

    # -- subqueries ----------------------------------------------------------------------------

    def _sublink(self, node: Any, place: Place) -> Typed:
        if (listed := forms.in_list(node)) is not None:
            return self.expression(listed, place)
        around, self._outer = self._outer, []
        columns = self._query(node.subselect, place.scope)
        valued = place.clause in _LISTS or place.clause in _KEYS
        counted = node.subLinkType == SubLinkType.EXISTS_SUBLINK and valued
        if self._outer and (counted or node.subLinkType == SubLinkType.EXPR_SUBLINK):
            alone = counted or forms.is_aggregate(
                node.subselect
            )  # else DataFusion computes it for rows that do not ask
            self.doubtful |= not (alone and forms.is_keyed(node.subselect, self._outer))
        self._outer = around + self._outer  # perhaps of a query around that one
        if node.subLinkType == SubLinkType.ARRAY_SUBLINK:
            return self._array_link(node, columns)
        self.asking = True
        if self._unnesting:
            return self._plain_link(node, columns, place)
        if node.subLinkType == SubLinkType.EXISTS_SUBLINK:
            return Typed(forms.exists_value(node) if valued else node, kinds.BOOLEAN)
        if node.subLinkType == SubLinkType.EXPR_SUBLINK:
            if columns is not None and len(columns) != 1:
                raise SqlSyntaxError("subquery must return only one column", position=self.at(node))
            self.guarded |= not forms.is_aggregate(node.subselect)
            node.subselect = forms.at_most_one(node.subselect)
            return Typed(node, columns[0].kind if columns else None)
        if node.testexpr is not None:
            return self._in(node, columns, place)
        return Typed(node, None)

    def _one_column(self, node: Any, columns: tuple[Column, ...] | None) -> Kind:
        if columns is not None and len(columns) != 1:
            raise SqlSyntaxError("subquery must return only one column", position=self.at(node))
        return columns[0].kind if columns else None

    def _array_link(self, node: Any, columns: tuple[Column, ...] | None) -> Typed:
        """ARRAY(SELECT …): of no rows an empty array. Its rows are joined to what asks it (``planner.unnest``)."""
        kind = kinds.array(self._one_column(node, columns))
        if kind is None or not self._unnesting:
            raise FeatureNotSupported("ARRAY(SELECT …) is not supported here", position=self.at(node))
        empty = kinds.cast(ast.A_ArrayExpr(elements=()), kind)
        return Typed(ast.CoalesceExpr(args=(node, empty)), kind)

    def _plain_link(self, node: Any, columns: tuple[Column, ...] | None, place: Place) -> Typed:
        """A subquery that stays what it is: ``planner.unnest`` joins it to what asks it."""
        if node.subLinkType == SubLinkType.EXPR_SUBLINK:
            return Typed(node, self._one_column(node, columns))
        if node.subLinkType == SubLinkType.EXISTS_SUBLINK and not columns:
            node.subselect.targetList = node.subselect.targetList or parse_query("SELECT 1").targetList
        if node.testexpr is not None:
            self._check_width(node, columns)
            if isinstance(node.testexpr, ast.RowExpr):
                self._row_members(node, columns, place)
                return Typed(node, kinds.BOOLEAN)
            test = self._met_link(node, self.expression(node.testexpr, place), columns)
            test, columns = self._keyed_link(node, test, columns)
            node.testexpr = test.node
            if not node.operName and columns is not None:
                (node.testexpr, _), _ = self.settle([test, Typed(None, columns[0].kind)], None, [self.at(node)] * 2)
        return Typed(node, kinds.BOOLEAN)

    def _met_link(self, node: Any, test: Typed, columns: tuple[Column, ...] | None) -> Typed:
        """What is compared with a subquery's column; the one of the two that has no zone gets the session's."""
        kind = columns[0].kind if columns else None
        if self.zoning.met(node, kind, test.kind) is not node:
            target = forms.only_target(node.subselect)
            if target is None:
                raise unknown(self.at(node))
            target.val = self.zoning.met(target.val, kind, test.kind)
            return test
        if self.zoning.explicit and test.kind == UNKNOWN and kind == kinds.TIMESTAMPTZ:
            return self._read_literal("=", test, kind)
        met = self.zoning.met(test.node, test.kind, kind)
        return test if met is test.node else replace(test, node=met, kind=kinds.TIMESTAMPTZ)

    def _keyed_link(
        self, node: Any, test: Typed, columns: tuple[Column, ...] | None
    ) -> tuple[Typed, tuple[Column, ...] | None]:
        """Both sides by their keys, where values that look different may be equal."""
        if not columns or not _by_keys(node, columns[0].kind):
            return test, columns
        kind = columns[0].kind
        test = self._read_literal("=", test, kind)
        node.subselect = forms.read_by(node.subselect, lambda column: equality.order_key(column, kind))
        return Typed(equality.order_key(test.node, kind), None), (replace(columns[0], kind=None),)

    def _row_in(self, node: Any, place: Place, *, negated: bool) -> Any:
        self.asking = True
        columns = self._query(node.subselect, place.scope)
        self._check_width(node, columns)
        self._row_members(node, columns, place)
        return forms.row_in(node, negated=negated)

    def _row_members(self, node: Any, columns: tuple[Column, ...] | None, place: Place) -> None:
        tests = [self.expression(member, place) for member in node.testexpr.args]
        found = [column.kind for column in columns or ()]
        if equality.any_keyed(found) or any(map(kinds.is_array, found)):
            node.subselect = forms.read_all_by(node.subselect, [_row_key(kind) for kind in found])
            tests = [self._read_literal("=", test, kind) for test, kind in zip(tests, found, strict=True)]
            tests = [replace(t, node=_row_key(kind)(t.node)) for t, kind in zip(tests, found, strict=True)]
        if self.zoning.explicit:
            tests = [self._met_column(test, column) for test, column in zip(tests, columns or (), strict=True)]
        node.testexpr.args = tuple(test.node for test in tests)

    def _met_column(self, test: Typed, column: Column) -> Typed:
        """A member of a row as what it is beside the column of a subquery."""
        if self.zoning.met(test.node, column.kind, test.kind) is not test.node:
            raise unknown(self.at(test.node))
        if test.kind == UNKNOWN and column.kind == kinds.TIMESTAMPTZ:
            return self._read_literal("=", test, column.kind)
        return replace(test, node=self.zoning.met(test.node, test.kind, column.kind))

    def _check_width(self, node: Any, columns: tuple[Column, ...] | None) -> None:
        wanted = len(node.testexpr.args) if isinstance(node.testexpr, ast.RowExpr) else 1
        if columns is not None and len(columns) != wanted:
            word = "many" if len(columns) > wanted else "few"
            raise SqlSyntaxError(f"subquery has too {word} columns", position=self.at(node))

    def _in(self, node: Any, columns: tuple[Column, ...] | None, place: Place) -> Typed:
        self._check_width(node, columns)
        if isinstance(node.testexpr, ast.RowExpr):
            raise FeatureNotSupported(
                "a row can be compared with a subquery only by IN or NOT IN, in a condition",
                hint="write EXISTS",
                position=self.at(node),
            )
        test = self._met_link(node, self.expression(node.testexpr, place), columns)
        test, columns = self._keyed_link(node, test, columns)
        if node.operName or columns is None:
            node.testexpr = test.node
            return Typed(node, kinds.BOOLEAN)
        (node.testexpr, _), kind = self.settle([test, Typed(None, columns[0].kind)], None, [self.at(node)] * 2)
        if place.clause in _LISTS and node.subLinkType == SubLinkType.ANY_SUBLINK:
            return Typed(forms.in_value(node, kind), kinds.BOOLEAN)
        return Typed(node, kinds.BOOLEAN)


def _by_keys(link: Any, kind: Kind) -> bool:
    """Whether a subquery's values are compared by their keys."""
    ordered = bool(link.operName) and link.operName[-1].sval in operators.COMPARISONS - {"=", "<>"}
    return equality.is_keyed(kind) or kinds.is_array(kind) or (ordered and equality.is_sorted_by_key(kind))


def _names_table(node: Any, place: Place) -> bool:
    """Whether a row is that of an item of FROM."""
    if not isinstance(node, ast.ColumnRef) or len(node.fields) != 1:
        return False
    return place.scope.named(strings(node)[0]) is None and place.scope.table(strings(node)[0]) is not None


def _row_key(kind: Kind) -> Callable[[Any], Any]:
    """How a member of a row with values of ``kind`` is compared."""
    by = equality.sort_key if kinds.is_array(kind) else equality.key
    return lambda node: by(node, kind)


def _null_text(operand: Typed, other: Kind) -> Typed:
    """NULL beside what is printed to be joined is a text."""
    plain = other in (UNKNOWN, *kinds.NUMBERS, *kinds.TEXTS, *kinds.MOMENTS, kinds.BOOLEAN)
    if operand.kind != UNKNOWN or not plain or not forms.is_null(operand.node):
        return operand
    return replace(operand, node=kinds.cast(operand.node, kinds.TEXT), kind=kinds.TEXT)


def _constant_kind(node: Any) -> Kind:
    if node.isnull:
        return UNKNOWN
    match node.val:
        case ast.Integer():
            return kinds.INTEGER
        case ast.Float():
            if not node.val.fval.lstrip("-").isdigit():
                return kinds.NUMERIC
            value = int(node.val.fval)  # the least integer comes as a Float, for its digits alone are no integer
            if -(1 << 31) <= value < 1 << 31:
                return kinds.INTEGER
            return kinds.BIGINT if -(1 << 63) <= value < 1 << 63 else kinds.NUMERIC
        case ast.Boolean():
            return kinds.BOOLEAN
        case ast.String():
            return UNKNOWN
        case _:
            return None
