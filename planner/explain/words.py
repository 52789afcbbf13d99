"""Substrait expressions as SQL that a user can read: his columns' names, operators where SQL has them.

What the planner put there for Postgres' sake (checked arithmetic, one NaN) is
shown as what was written; casts that DataFusion added are shown as casts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from substrait.proto import AggregateFunction, Expression, SortField

from constellationdb.planner.explain.literals import interval, show_literal, type_name
from constellationdb.planner.shuttle import field_index

# How tightly a text holds together: an operand that is looser than its operator stands in parentheses.
OR, AND, NOT, COMPARISON, OTHER, SUM, PRODUCT, CAST, ATOM = range(9)

_BINARY = {
    "or": (OR, "OR"), "and": (AND, "AND"), "equal": (COMPARISON, "="), "not_equal": (COMPARISON, "<>"),
    "lt": (COMPARISON, "<"), "lte": (COMPARISON, "<="), "gt": (COMPARISON, ">"), "gte": (COMPARISON, ">="),
    "is_not_distinct_from": (COMPARISON, "IS NOT DISTINCT FROM"), "is_distinct_from": (COMPARISON, "IS DISTINCT FROM"),
    "like": (COMPARISON, "LIKE"), "ilike": (COMPARISON, "ILIKE"), "str_concat": (OTHER, "||"),
    "add": (SUM, "+"), "subtract": (SUM, "-"), "multiply": (PRODUCT, "*"), "divide": (PRODUCT, "/"),
    "modulus": (PRODUCT, "%"), "mod": (PRODUCT, "%"),
}  # fmt: skip
_ASSOCIATIVE = frozenset({"or", "and", "add", "multiply", "str_concat"})
_POSTFIX = {"is_null": "IS NULL", "is_not_null": "IS NOT NULL", "is_true": "IS TRUE", "is_false": "IS FALSE"}
_AT_ZONE = frozenset({f"con_{word}_{way}" for word in ("zone", "timezone") for way in ("local", "instant")})
# Functions of ours that only make a value comparable as Postgres compares it.
_UNSEEN = (
    "con_made_key",
    "con_value_",
    "con_canonical_",
    "con_rank_",
    "con_unrank_",
    "con_interval_order",
    "con_trim_scale",
    "con_in_range",
)
# Functions of ours over the array of a group's values.
_OF_LISTS = frozenset(
    {"con_longest_run", "con_percentile_cont", "con_json_list", "con_json_members", "con_json_string", "con_joined"}
)
_NEGATED = {
    "=": "<>",
    "<>": "=",
    "IS DISTINCT FROM": "IS NOT DISTINCT FROM",
    "IS NOT DISTINCT FROM": "IS DISTINCT FROM",
}
_LONGEST = 72


class Shown(NamedTuple):
    """A text for a value, how tightly it holds together, and the relation if it is a column of one."""

    text: str
    level: int = ATOM
    relation: str = ""

    def inside(self, level: int) -> str:
        return self.text if self.level >= level else f"({self.text})"

    def brief(self) -> str:
        """The text where a long one would only repeat what stands further down."""
        return self.text if len(self.text) <= _LONGEST else f"{self.text[: _LONGEST - 1]}…"


class Words:
    """Shows the expressions of one Substrait plan. ``functions``: anchor → name."""

    def __init__(self, functions: Mapping[int, str]) -> None:
        self._functions = functions

    def function(self, anchor: int) -> str:
        return self._functions.get(anchor, "?").split(":")[0]

    def show(self, expression: Expression, columns: Sequence[Shown]) -> Shown:
        kind = expression.WhichOneof("rex_type")
        index = field_index(expression)
        if index is not None:
            return columns[index]
        match kind:
            case "literal":
                return Shown(show_literal(expression.literal))
            case "cast":
                return self._cast(expression, columns)
            case "scalar_function":
                return self._call(expression, columns)
            case "if_then":
                return Shown(self._case(expression, columns))
            case "singular_or_list":
                listed = expression.singular_or_list
                options = ", ".join(self.show(option, columns).text for option in listed.options)
                return Shown(f"{self.show(listed.value, columns).inside(OTHER)} IN ({options})", COMPARISON)
            case "window_function":
                return Shown(self._over(expression, columns))
            case _:
                return Shown(f"({str(kind).replace('_', ' ')})")

    def _cast(self, expression: Expression, columns: Sequence[Shown]) -> Shown:
        inner = self.show(expression.cast.input, columns)
        return Shown(f"{inner.inside(CAST)}::{type_name(expression.cast.type)}", CAST)

    def _call(self, expression: Expression, columns: Sequence[Shown]) -> Shown:
        call = expression.scalar_function
        name = self.function(call.function_reference)
        arguments = [argument.value for argument in call.arguments]
        if name.startswith("con_quotient_"):  # the numerics come as texts
            shown = [_numeric(self.show(_uncast(a), columns)) for a in arguments]
            return _joined("divide", shown)
        if name == "con_record":
            return Shown(f"ROW({', '.join(shown.text for shown in self._members(arguments[0], columns))})")
        name = _written(name)
        shown = [self.show(argument, columns) for argument in arguments]
        if name.startswith(_UNSEEN):
            return shown[0]
        if name in _AT_ZONE:
            return Shown(f"{shown[1].inside(CAST)} AT TIME ZONE {shown[0].inside(CAST)}", OTHER)
        if name in ("like", "ilike"):  # the third argument is the escape
            shown = shown[:2]
        if name == "con_interval_between":
            return _joined("subtract", shown)
        if name in _BINARY and len(shown) > 1:
            return _joined(name, self._as_intervals(arguments, shown))
        if name in _POSTFIX:
            return Shown(f"{shown[0].inside(OTHER)} {_POSTFIX[name]}", COMPARISON)
        if name == "not":
            return _negated(arguments[0], shown[0], self)
        if name in ("negate", "negative"):
            return Shown(f"-{shown[0].inside(CAST)}", CAST)
        return Shown(f"{name}({', '.join(s.text for s in shown)})")

    def _members(self, listed: Expression, columns: Sequence[Shown]) -> list[Shown]:
        """The values that are a row's fields, without the casts that print them."""
        call = _uncast(listed).scalar_function
        return [self.show(_uncast(argument.value), columns) for argument in call.arguments]

    def _as_intervals(self, arguments: Sequence[Expression], shown: Sequence[Shown]) -> Sequence[Shown]:
        """Intervals are compared by their length in µs: the other side is one, too."""
        if not any(self._is_length(argument) for argument in arguments):
            return shown
        return [
            Shown(f"interval '{interval(a.literal.i64)}'") if a.literal.WhichOneof("literal_type") == "i64" else s
            for a, s in zip(arguments, shown, strict=True)
        ]

    def _is_length(self, argument: Expression) -> bool:
        return (
            argument.WhichOneof("rex_type") == "scalar_function"
            and self.function(argument.scalar_function.function_reference) == "con_interval_order"
        )

    def _case(self, expression: Expression, columns: Sequence[Shown]) -> str:
        body = expression.if_then
        parts = ["CASE"]
        for clause in body.ifs:
            test, then = self.show(getattr(clause, "if"), columns), self.show(clause.then, columns)
            parts.append(f"WHEN {test.text} THEN {then.text}")
        if body.HasField("else"):
            parts.append(f"ELSE {self.show(getattr(body, 'else'), columns).text}")
        return " ".join([*parts, "END"])

    # -- aggregates and windows ----------------------------------------------------------------

    def sorts(self, sorts: Sequence[SortField], columns: Sequence[Shown]) -> str:
        return ", ".join(f"{self.show(sort.expr, columns).text}{_DIRECTIONS.get(sort.direction, '')}" for sort in sorts)

    def aggregate(self, function: AggregateFunction, columns: Sequence[Shown]) -> str:
        arguments = ", ".join(self.show(argument.value, columns).text for argument in function.arguments) or "*"
        name = _written(self.function(function.function_reference))
        if name == "count" and arguments == "1":
            arguments = "*"
        distinct = "DISTINCT " if function.invocation == AggregateFunction.AGGREGATION_INVOCATION_DISTINCT else ""
        order = f" ORDER BY {self.sorts(function.sorts, columns)}" if function.sorts else ""
        return f"{name}({distinct}{arguments}{order})"

    def _over(self, expression: Expression, columns: Sequence[Shown]) -> str:
        call = expression.window_function
        arguments = ", ".join(self.show(argument.value, columns).text for argument in call.arguments)
        parts = []
        if call.partitions:
            parts.append(f"PARTITION BY {', '.join(self.show(p, columns).text for p in call.partitions)}")
        if call.sorts:
            parts.append(f"ORDER BY {self.sorts(call.sorts, columns)}")
        parts.append(_frame(call))
        return f"{self.function(call.function_reference)}({arguments}) OVER ({' '.join(parts)})"


_DIRECTIONS = {
    SortField.SORT_DIRECTION_ASC_NULLS_FIRST: " NULLS FIRST",
    SortField.SORT_DIRECTION_DESC_NULLS_FIRST: " DESC",
    SortField.SORT_DIRECTION_DESC_NULLS_LAST: " DESC NULLS LAST",
}


def _written(name: str) -> str:
    """The name as it was before arithmetic was checked: con_add_i64 is add."""
    parts = name.split("_")
    if parts[0] == "con" and len(parts) == 3 and parts[1] in _BINARY | {"negate": None, "text": None, "xor": None}:
        return parts[1]
    made = name in _OF_LISTS or name.startswith(("con_record_", "con_made_", "con_map"))
    return name.removeprefix("con_") if made else name


def _uncast(argument: Expression) -> Expression:
    return argument.cast.input if argument.WhichOneof("rex_type") == "cast" else argument


def _numeric(shown: Shown) -> Shown:
    """What was turned into a text to be divided, before that."""
    return Shown(shown.text.removesuffix("::text").strip("'"), shown.level)


def _joined(name: str, shown: Sequence[Shown]) -> Shown:
    level, operator = _BINARY[name]
    tight = level if name in _ASSOCIATIVE else level + 1
    texts = [shown[0].inside(level if level > COMPARISON else tight), *(s.inside(tight) for s in shown[1:])]
    return Shown(f" {operator} ".join(texts), level)


def _negated(argument: Expression, shown: Shown, words: Words) -> Shown:
    """NOT (a <> b) is how the planner hides an equality from DataFusion: a = b again."""
    if argument.WhichOneof("rex_type") == "scalar_function" and shown.level == COMPARISON:
        _, operator = _BINARY.get(words.function(argument.scalar_function.function_reference), (0, ""))
        if operator in _NEGATED and shown.text.count(f" {operator} ") == 1:
            return Shown(shown.text.replace(f" {operator} ", f" {_NEGATED[operator]} "), COMPARISON)
    return Shown(f"NOT {shown.inside(COMPARISON)}", NOT)


def _frame(call: Any) -> str:
    unit = "ROWS" if call.bounds_type == Expression.WindowFunction.BOUNDS_TYPE_ROWS else "RANGE"
    return f"{unit} BETWEEN {_bound(call.lower_bound, 'PRECEDING')} AND {_bound(call.upper_bound, 'FOLLOWING')}"


def _bound(bound: Any, unbounded: str) -> str:
    kind = bound.WhichOneof("kind")
    if kind in ("preceding", "following"):
        return f"{getattr(bound, kind).offset} {kind.upper()}"
    return "CURRENT ROW" if kind == "current_row" else f"UNBOUNDED {unbounded}"
