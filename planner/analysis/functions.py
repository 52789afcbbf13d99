"""Function calls: allowed where they stand, their arguments typed, Postgres' names turned into DataFusion's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pglast import ast
from pglast.enums import A_Expr_Kind, CoercionForm

from constellationdb.catalog.model import Function
from constellationdb.errors import (
    DatatypeMismatch,
    FeatureNotSupported,
    GroupingError,
    UndefinedColumn,
    UndefinedFunction,
    UndefinedObject,
    WindowingError,
    WrongObjectType,
)
from constellationdb.planner import patterns
from constellationdb.planner.analysis import (
    about,
    aggregates,
    array_functions,
    calls,
    catalog_calls,
    catalog_functions,
    corrected,
    equality,
    fields,
    forms,
    frames,
    json_functions,
    jsonb,
    kinds,
    listed,
    made_values,
    maps,
    maths,
    moments_made,
    ordered_sets,
    over_calls,
    printing,
    records,
    regexes,
    set_functions,
    spans,
    texts,
    zoned_calls,
)
from constellationdb.planner.analysis.kinds import UNKNOWN
from constellationdb.planner.analysis.made_kinds import Made, fields_of, labels_of
from constellationdb.planner.analysis.overloads import NO_FUNCTION
from constellationdb.planner.analysis.typed import Place, Typed, Walk
from constellationdb.planner.analysis.user_calls import UserCalls
from constellationdb.planner.rewrite.tree import last_name, nodes
from constellationdb.planner.statements import WITH_FIELD

_RENAMED = {"every": "bool_and", "variance": "var_samp", "sign": "signum", "substring": "substr", "position": "strpos",
            "ceiling": "ceil"}  # fmt: skip
_NOWHERE = {"WHERE": "WHERE", "GROUP BY": "GROUP BY", "JOIN/ON": "JOIN conditions", "FILTER": "FILTER",
            "RETURNING": "RETURNING", "VALUES": "VALUES", "UPDATE": "UPDATE",
            "DEFAULT": "DEFAULT expressions"}  # fmt: skip
_TEXT_ONLY = frozenset(
    {"length", "char_length", "character_length", "octet_length", "bit_length", "ascii", "string_agg", "lower", "upper",
     "initcap", "reverse", "btrim", "ltrim", "rtrim", "left", "right", "repeat", "replace", "split_part", "lpad",
     "rpad", "md5", "translate", "strpos", "starts_with"}
)  # fmt: skip
_NO_TEXTS = (*kinds.NUMBERS, *kinds.MOMENTS, kinds.TIME, kinds.BOOLEAN, kinds.INTERVAL)
_UNORDERED = (kinds.BOOLEAN, kinds.UUID, kinds.JSON, kinds.JSONB)
_NO_BOOLEANS = frozenset({"min", "max"})
# Calls that hand rows on as they are, or only count them; others print them.
_PASSING = frozenset(
    {"count", "array_agg", "unnest", "first_value", "last_value", "nth_value", "lag", "lead", "any_value",
     "cardinality", "row_number", "rank", "dense_rank", "map_keys", "map_values", WITH_FIELD}
)  # fmt: skip
_PRINTING = frozenset({"concat", "concat_ws", "format"})
_ROUNDING = frozenset({"ceil", "ceiling", "floor", "round", "trunc"})


class Calls:
    def __init__(self, expressions: Walk, users: UserCalls | None = None) -> None:
        self._expressions = expressions
        self._users = users

    def call(self, node: Any, place: Place) -> Typed:
        walk = self._expressions
        name = last_name(node)
        own_schema = len(node.funcname) > 1 and node.funcname[0].sval != "pg_catalog"
        position = walk.at(node)
        if self._users is not None and (known := self._users.named(node)):
            return self._of_user(self._users, node, known[0], place)
        if not own_schema:
            if (made := aggregates.placed(walk, node, place)) is not None:
                return made
            self._check(node, name, place)
            corrected.count_rows(node, name)
            aggregates.of_nothing(node, name)
            if (made := ordered_sets.answered(walk, node, place)) is not None:
                return made
        if name == "make_interval" and not own_schema:
            spans.in_place(node, position)
        inner = replace(place, aggregate=True) if calls.is_aggregate(name) and node.over is None else place
        mentioned = walk.outer_columns
        arguments = [walk.expression(argument, inner) for argument in node.args or ()]
        if name == "count" and node.agg_distinct and len(arguments) == 1 and isinstance(node.args[0], ast.RowExpr):
            arguments = [_fields_apart(node.args[0], arguments[0])]
        if inner.aggregate and not place.aggregate:
            self._check_level(node, walk.outer_columns - mentioned)
        arguments = [
            argument if (read := calls.literal_argument(name, place)) is None else self._literal(argument, read)
            for place, argument in enumerate(arguments)
        ]
        if walk.zoning.explicit and name in zoned_calls.ALIKE:
            arguments = zoned_calls.alike(arguments, walk.zoning, position)
        node.args = tuple(argument.node for argument in arguments) or None
        self._clauses(node, inner)
        if not own_schema and calls.is_aggregate(name) and node.over is None:
            aggregates.check(walk, node, name, arguments, inner)
            aggregates.without_constant_order(node)
        if not own_schema:
            arguments = over_calls.filtered(walk, node, name, arguments)
            if (made := over_calls.with_default(walk, node, name, arguments)) is not None:
                return made
        shown = [argument.kind for argument in arguments]
        if node.agg_distinct and name != "count":
            self._refuse_distinct(name, shown, position)
        if name not in _PASSING:
            for kind in shown:
                walk.refuse_zoned(kind, name, position)
        if None in shown and name in zoned_calls.BY_CLOCKS:
            walk.doubt_zone(node)
        if not own_schema and name in _PRINTING:
            node = self._printing(node, name, arguments)
        if position is not None and all(kind is not None for kind in shown):
            walk.signatures[node.location] = f"{name}({', '.join(str(kind) for kind in shown)})"
        if name in set_functions.NAMES:
            return self._set(node, name, arguments, place)
        if name in maps.MAKERS and not own_schema:
            return maps.made(walk, arguments, position)
        if name == WITH_FIELD:
            return self._with_field(arguments, position)
        if len(node.funcname) > 1 and not own_schema and node.funcformat != CoercionForm.COERCE_SQL_SYNTAX:
            node.funcname = node.funcname[-1:]
        if not own_schema and (made := self._answered(node, name, arguments)) is not None:
            return made
        kind = None if own_schema else calls.returns(name, shown)
        whole = name == "sum" and all(argument.is_whole for argument in arguments)
        return Typed(node if own_schema else self._respelled(node, name, shown), kind, whole=whole)

    def _of_user(self, users: UserCalls, node: Any, function: Function, place: Place) -> Typed:
        if function.kind == "aggregate":
            if node.agg_star:
                raise self._missing(node, function.name, [])
            self._check(node, function.internal, place)
            place = replace(place, aggregate=True)
            self._clauses(node, place)
        return users.call(self._expressions, node, place)

    def _answered(self, node: Any, name: str, arguments: list[Typed]) -> Typed | None:
        """What a call is that another file of this folder knows."""
        position = self._expressions.at(node)
        if (zoned := zoned_calls.answered(name, arguments, self._expressions.zoning, position)) is not None:
            return zoned
        if (made := moments_made.answered(name, arguments, self._expressions.zoning)) is not None:
            return made
        if (made := aggregates.answered(node, name, arguments)) is not None:
            return made
        if (made := listed.answered(node, name, arguments, position)) is not None:
            return made
        for answer in (
            array_functions.answered, json_functions.answered, jsonb.answered, about.answered, catalog_calls.answered,
            made_values.answered, maps.answered, regexes.answered, spans.answered,
        ):  # fmt: skip
            if (made := answer(name, arguments, position)) is not None:
                return made
        if catalog_functions.is_known(name) or regexes.is_known(name):
            raise self._missing(node, name, [argument.kind for argument in arguments])
        return None

    def _set(self, node: Any, name: str, arguments: list[Typed], place: Place) -> Typed:
        position = self._expressions.at(node)
        if place.clause not in ("SELECT", "FROM") or place.aggregate:
            where = _NOWHERE.get(place.clause, place.clause)
            raise FeatureNotSupported(f"set-returning functions are not allowed in {where}", position=position)
        return set_functions.rows_of(set_functions.array_of(name, arguments, self._expressions.zoning, position))

    def _refuse_distinct(self, name: str, shown: list[kinds.Kind], position: int | None) -> None:
        """Postgres sorts what it tells apart, rows and enums in their own order."""
        for kind in shown:
            if isinstance(kind, Made) and equality.is_sorted_by_key(kind):
                raise FeatureNotSupported(
                    f"{name}(DISTINCT …) of {kind} values is not supported",
                    hint="aggregate over a subquery with SELECT DISTINCT",
                    position=position,
                )

    def _with_field(self, arguments: list[Typed], position: int | None) -> Typed:
        row, name, new, column = arguments
        field, shown = name.node.val.sval, column.node.val.sval
        known = dict(fields_of(row.kind))
        if field not in known:
            what = f"because there is no such column in data type {row.kind}"
            if not records.is_row(row.kind):
                what = f"because its type {row.kind} is not a composite type"
                raise DatatypeMismatch(f'cannot assign to field "{field}" of column "{shown}" {what}')
            raise UndefinedColumn(f'cannot assign to field "{field}" of column "{shown}" {what}')
        return records.with_field(row, field, self._expressions.as_field(new, known[field]), position)

    def _printing(self, node: Any, name: str, arguments: list[Typed]) -> Any:
        """concat, concat_ws and format take values of any type and print them."""
        if name == "format":
            node.funcname, node.args = (
                (ast.String(sval="concat"),),
                printing.formatted(arguments, self._expressions.at(node)),
            )
            return node
        node.args = tuple(printing.joined(argument.node, argument.kind) for argument in arguments) or None
        return node

    def _literal(self, argument: Typed, kind: str) -> Typed:
        if argument.kind != UNKNOWN or not isinstance(argument.node, ast.A_Const) or argument.node.isnull:
            return argument
        return replace(argument, node=texts.typed(argument.node, kind, self._expressions.at(argument.node)), kind=kind)

    def _check(self, node: Any, name: str, place: Place) -> None:
        position = self._expressions.at(node)
        aggregate = (calls.is_aggregate(name) or ordered_sets.is_hypothetical(node)) and node.over is None
        if name == "count" and len(node.args or ()) > 1:
            raise self._missing(node, name, [self._expressions.expression(a, place).kind for a in node.args])
        if node.agg_star and name != "count":
            raise UndefinedFunction(f"function {name}() does not exist", hint=NO_FUNCTION, position=position)
        if node.agg_filter is not None and not aggregate and node.over is None:
            raise WrongObjectType(f"FILTER specified, but {name} is not an aggregate function", position=position)
        if name in calls.WINDOW_ONLY and node.over is None and not aggregate:
            raise WrongObjectType(f"window function {name} requires an OVER clause", position=position)
        if aggregate and place.aggregate:
            raise GroupingError("aggregate function calls cannot be nested", position=position)
        if node.over is not None and place.aggregate:
            message = "aggregate function calls cannot contain window function calls"
            raise GroupingError(message, position=position)
        if aggregate and place.clause in _NOWHERE:
            raise GroupingError(f"aggregate functions are not allowed in {_NOWHERE[place.clause]}", position=position)
        if node.over is not None and (place.clause in _NOWHERE or place.clause == "HAVING"):
            where = _NOWHERE.get(place.clause, place.clause)
            raise WindowingError(f"window functions are not allowed in {where}", position=position)
        if node.over is not None:
            frames.check_call(node, name, position)
            self._window(node.over, place)

    def _check_level(self, node: Any, outer: int) -> None:
        """An aggregate of nothing but columns of a query around its own is, in Postgres, that query's."""
        if any(isinstance(part, ast.SubLink) for part in nodes(node.args)):  # what that mentions may be of this query
            return
        if outer and outer == sum(isinstance(part, ast.ColumnRef) for part in nodes(node.args)):
            raise FeatureNotSupported(
                "an aggregate of columns of an outer query in a subquery is not supported",
                hint="write the aggregate in the outer query, and read it from a subquery in FROM",
                position=self._expressions.at(node),
            )

    def _window(self, over: Any, place: Place) -> None:
        for name in (over.name, over.refname):
            if name is not None and name not in place.windows:
                raise UndefinedObject(f'window "{name}" does not exist', position=self._expressions.at(over))

    def _clauses(self, node: Any, place: Place) -> None:
        walk = self._expressions
        if node.agg_filter is not None:
            outside = replace(place, aggregate=False, clause="FILTER")
            node.agg_filter = walk.boolean(node.agg_filter, "FILTER", outside)
        self._sorts(node.agg_order, place)
        if node.over is not None:
            frames.define(node.over, walk, place)

    def _sorts(self, clause: Any, place: Place) -> None:
        for sort in clause or ():
            typed = self._expressions.expression(sort.node, place)
            sort.node = equality.sort_key(typed.node, typed.kind)

    def _respelled(self, node: Any, name: str, shown: list[kinds.Kind]) -> Any:
        arguments: Any = node.args or ()
        if node.agg_distinct:
            if name != "count":
                equality.refuse(f"{name}(DISTINCT …)", shown, self._expressions.at(node))
            node.args = tuple(equality.key(part, kind) for part, kind in zip(arguments, shown, strict=True)) or None
        if name in ("min", "max") and shown == [UNKNOWN]:
            node.args = (kinds.cast(arguments[0], kinds.TEXT),)
        if name in ("min", "max") and shown == [kinds.INTERVAL]:
            over, condition = node.over, node.agg_filter
            made = equality.extreme(name, arguments[0])
            made.args[0].over, made.args[0].agg_filter = over, condition
            return made
        if name == "mod" and len(arguments) == 2:
            return self._modulus(arguments, shown)
        if name in ("extract", "date_part"):
            return fields.part(node, name, shown, self._expressions.zoning, self._expressions.at(node))
        if name == "date_trunc":
            return fields.truncated(node, shown, self._expressions.at(node))
        if name == "avg" and shown == [kinds.NUMERIC]:
            return maths.average(node)
        if name == "encode" and len(arguments) == 2 and forms.is_text(arguments[1], "base64"):
            return forms.call("con_base64", kinds.cast(arguments[0], kinds.BYTEA))
        if (guarded := maths.guarded(node, name, shown)) is not None:
            return guarded
        if name == "factorial" or (name == "sign" and shown == [kinds.NUMERIC]):
            return _whole(node)
        if name in _NO_BOOLEANS and shown and labels_of(shown[0]):
            return made_values.extreme(node, labels_of(shown[0]))
        if name in _NO_BOOLEANS and shown and (shown[0] in _UNORDERED or isinstance(shown[0], Made)):
            raise self._missing(node, name, shown)
        if name in ("to_char", "to_date", "to_timestamp") and len(shown) == 2:
            return self._templated(node, name, shown)
        if self._expressions.checked and (made := corrected.corrected(node, name, shown)) is not None:
            return made
        if name == "sum" and shown == [kinds.BIGINT] and self._expressions.checked:
            node.args = (kinds.cast(arguments[0], kinds.NUMERIC),)
            return node
        if name == "round" and shown == [kinds.DOUBLE]:
            return forms.call("con_rint", *arguments)
        if name in _ROUNDING and shown and shown[0] == kinds.NUMERIC:
            return _scaled(node, arguments)
        if name == "substring" and (len(shown) < 2 or shown[1] not in kinds.INTEGERS):
            return node
        if name in _TEXT_ONLY and shown and shown[0] in _NO_TEXTS:
            raise self._missing(node, name, shown)
        if name in _RENAMED:
            node.funcname = (ast.String(sval=_RENAMED[name]),)
            node.funcformat = None
        return node

    def _missing(self, node: Any, name: str, shown: list[kinds.Kind]) -> UndefinedFunction:
        arguments = ", ".join(str(kind) for kind in shown)
        position = self._expressions.at(node)
        return UndefinedFunction(f"function {name}({arguments}) does not exist", hint=NO_FUNCTION, position=position)

    def _templated(self, node: Any, name: str, shown: list[kinds.Kind]) -> Any:
        """to_char of a moment and to_date, by a constant template."""
        template = node.args[1]
        if forms.is_null(template):
            return kinds.cast(ast.A_Const(isnull=True), calls.returns(name, shown) or kinds.TEXT)
        constant = isinstance(template, ast.A_Const) and isinstance(template.val, ast.String)
        zoned = self._expressions.zoning.explicit and shown[0] == kinds.TIMESTAMPTZ
        readable = name == "to_date" or (name == "to_char" and shown[0] in kinds.MOMENTS)
        if constant and readable:
            text = patterns.date_format(name, template.val.sval, self._expressions.at(template))
            moment = node.args[0]
            node.args = (self._expressions.zoning.local(moment) if zoned else moment, forms.text(text))
            return node
        what = {"to_char": "of a date or timestamp by", "to_date": "with"}.get(name)
        message = (
            f"{name} with a template is not supported"
            if what is None
            else (f"{name} is only supported {what} a constant template")
        )
        raise FeatureNotSupported(message, position=self._expressions.at(node))

    def _modulus(self, arguments: Any, shown: list[kinds.Kind]) -> Any:
        left, right = ((node, kind) for node, kind in zip(arguments, shown, strict=True))
        constant = all(isinstance(node, ast.A_Const) for node in arguments)
        kind = max(shown, key=kinds.NUMBERS.index) if all(k in kinds.INTEGERS for k in shown) else None
        made = forms.binary("%", left, right, kind, checked=constant or self._expressions.checked)
        if made is not None:
            return made
        return ast.A_Expr(
            kind=A_Expr_Kind.AEXPR_OP, name=(ast.String(sval="%"),), lexpr=arguments[0], rexpr=arguments[1]
        )


def _whole(node: Any) -> Any:
    """A call whose answer is a whole numeric in Postgres."""
    name = kinds.type_name(kinds.NUMERIC)
    name.typmods = (forms.integer(38), forms.integer(0))
    node.funcname = (ast.String(sval=_RENAMED.get(last_name(node), last_name(node))),)
    return ast.TypeCast(arg=node, typeName=name)


def _fields_apart(node: Any, row: Typed) -> Typed:
    """A row of which only the different ones are counted: DataFusion need not print it to tell them apart."""
    node.args = tuple(equality.key(member.node, member.kind) for member in row.members)
    return replace(row, node=node, kind=None)


def _scaled(node: Any, arguments: Any) -> Any:
    """A numeric with the digits that ceil, floor, round and trunc leave; DataFusion keeps the argument's, or says so.

    And its digits before the point, so that 9.5 has no room for its ceiling: plus 0 it has.
    """
    digits = 0
    node.funcname = (ast.String(sval=_RENAMED.get(last_name(node), last_name(node))),)
    node.args = (forms.plus_zero(arguments[0]), *arguments[1:])
    if len(arguments) > 1:
        if not forms.is_integer(arguments[1]) or not 0 <= arguments[1].val.ival <= 38:
            return node
        digits = arguments[1].val.ival
    name = kinds.type_name(kinds.NUMERIC)
    name.typmods = (forms.integer(38), forms.integer(digits))
    return ast.TypeCast(arg=node, typeName=name)
