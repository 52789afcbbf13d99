"""A path followed through a value, as the SQL standard has it: lax unless it says ``strict``.

A path finds a sequence of values. Lax paths look into arrays where an object is wanted, take a value for an array of
it where that is wanted, and find nothing where nothing is. A test is true, false or unknown (None).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from constellationdb.planner.jsonb_values import kind
from constellationdb.planner.jsonpath.nodes import (
    Descendants,
    Elements,
    Filter,
    Last,
    Literal,
    Member,
    Method,
    Node,
    Operation,
    Path,
    Pattern,
    Root,
    Variable,
    is_test,
)
from constellationdb.planner.raising import ComputationError

_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def follow(path: Path, value: Any, variables: Mapping[str, Any]) -> list[Any]:
    """What ``path`` finds; ComputationError with Postgres' SQLSTATE where it cannot go on."""
    return _Walk(value, variables, path.strict).find(path.root)


@dataclass(frozen=True)
class _Walk:
    root: Any
    variables: Mapping[str, Any]
    strict: bool
    current: Any = None
    length: int = 0  # of the array whose elements are chosen

    def find(self, node: Node) -> list[Any]:
        if is_test(node):
            return [self.test(node)]
        match node:
            case Root():
                return [self.current if node.current else self.root]
            case Literal():
                return [node.value]
            case Variable():
                if node.name not in self.variables:
                    raise ComputationError("42704", f'could not find jsonpath variable "{node.name}"')
                return [self.variables[node.name]]
            case Last():
                return [Decimal(self.length - 1)]
            case Member():
                return [found for value in self.find(node.base) for found in self._members(value, node.key)]
            case Elements():
                return [found for value in self.find(node.base) for found in self._elements(value, node)]
            case Descendants():
                return [found for value in self.find(node.base) for found in _below(value, 0, node)]
            case Filter():
                bases = self._unwrapped(self.find(node.base))
                return [value for value in bases if replace(self, current=value).test(node.test) is True]
            case Method():
                return self._called(node)
            case Operation():
                return self._computed(node)
        raise AssertionError(node)

    def _unwrapped(self, found: list[Any]) -> list[Any]:
        """In a lax path the elements of arrays in their place."""
        if self.strict:
            return found
        return [item for value in found for item in (value if isinstance(value, list) else [value])]

    # -- steps ---------------------------------------------------------------------------------

    def _members(self, value: Any, key: str | None) -> Iterator[Any]:
        if isinstance(value, list) and not self.strict:
            for item in value:
                if not isinstance(item, list):
                    yield from self._members(item, key)
        elif not isinstance(value, dict):
            if self.strict:
                wanted = "wildcard member accessor" if key is None else "member accessor"
                raise ComputationError("2203A", f"jsonpath {wanted} can only be applied to an object")
        elif key is None:
            yield from value.values()
        elif key in value:
            yield value[key]
        elif self.strict:
            raise ComputationError("2203A", f'JSON object does not contain key "{key}"')

    def _elements(self, value: Any, node: Elements) -> Iterator[Any]:
        if not isinstance(value, list):
            if self.strict:
                wanted = "array accessor" if node.ranges else "wildcard array accessor"
                raise ComputationError("22039", f"jsonpath {wanted} can only be applied to an array")
            value = [value]
        if not node.ranges:
            yield from value
        inner = replace(self, length=len(value))
        for first, last in node.ranges:
            start = inner._place(first)
            end = start if last is None else inner._place(last)
            if self.strict and (start < 0 or start > end or end >= len(value)):
                raise ComputationError("22033", "jsonpath array subscript is out of bounds")
            yield from value[max(start, 0) : max(end + 1, 0)]

    def _place(self, node: Node) -> int:
        found = self.find(node)
        if len(found) != 1 or kind(found[0]) != "number":
            raise ComputationError("22033", "jsonpath array subscript is not a single numeric value")
        return int(found[0])

    def _called(self, node: Method) -> list[Any]:
        found = self.find(node.base)
        if node.name == "type":
            return [kind(value) for value in found]
        if node.name == "size":
            if self.strict and not all(isinstance(value, list) for value in found):
                raise ComputationError("22039", "jsonpath item method .size() can only be applied to an array")
            return [Decimal(len(value) if isinstance(value, list) else 1) for value in found]
        return [_number(value, node.name) for value in self._unwrapped(found)]

    def _computed(self, node: Operation) -> list[Any]:
        if len(node.operands) == 1:
            values = self._unwrapped(self.find(node.operands[0]))
            if any(kind(value) != "number" for value in values):
                raise ComputationError(
                    "2203B", f"operand of unary jsonpath operator {node.name} is not a numeric value"
                )
            return [value if node.name == "+" else -value for value in values]
        left, right = (
            self._single(operand, node.name, side)
            for operand, side in zip(node.operands, ("left", "right"), strict=True)
        )
        match node.name:
            case "+":
                return [left + right]
            case "-":
                return [left - right]
            case "*":
                return [left * right]
        if not right:
            raise ComputationError("22012", "division by zero")
        if node.name == "%":
            return [left % right]
        raise ComputationError("0A000", "/ in jsonpath is not supported")

    def _single(self, node: Node, name: str, side: str) -> Decimal:
        found = self._unwrapped(self.find(node))
        if len(found) != 1 or not isinstance(found[0], Decimal):
            raise ComputationError("22038", f"{side} operand of jsonpath operator {name} is not a single numeric value")
        return found[0]

    # -- tests ---------------------------------------------------------------------------------

    def test(self, node: Node) -> bool | None:
        if isinstance(node, Pattern):
            return self._pattern(node)
        if not isinstance(node, Operation):
            found = self.find(node)
            return found[0] if len(found) == 1 and isinstance(found[0], bool) else None
        match node.name:
            case "&&":
                both = [self.test(operand) for operand in node.operands]
                return False if False in both else None if None in both else True
            case "||":
                both = [self.test(operand) for operand in node.operands]
                return True if True in both else None if None in both else False
            case "!":
                inner = self.test(node.operands[0])
                return None if inner is None else not inner
            case "is unknown":
                return self.test(node.operands[0]) is None
            case "exists":
                inside = self._tried(node.operands[0])
                return None if inside is None else bool(inside)
        sides = [self._tried(operand) for operand in node.operands]
        if sides[0] is None or sides[1] is None:
            return None
        left, right = (self._unwrapped(side) for side in sides if side is not None)
        return self._any(_compared(node.name, a, b) for a in left for b in right)

    def _any(self, answers: Iterator[bool | None]) -> bool | None:
        """Lax: true at the first that is; strict: unknown if one is."""
        unknown = found = False
        for answer in answers:
            if answer is None:
                if self.strict:
                    return None
                unknown = True
            elif answer:
                if not self.strict:
                    return True
                found = True
        return True if found else None if unknown else False

    def _tried(self, node: Node) -> list[Any] | None:
        """None where an error makes a test unknown."""
        try:
            return self.find(node)
        except ComputationError:
            return None

    def _pattern(self, node: Pattern) -> bool | None:
        found, pattern = self._tried(node.operand), self._tried(node.pattern)
        if found is None or pattern is None or len(pattern) != 1 or not isinstance(pattern[0], str):
            return None
        texts = self._unwrapped(found)
        if node.name == "starts with":
            return self._any(value.startswith(pattern[0]) if isinstance(value, str) else None for value in texts)
        if set(node.flags) - set("iqs"):
            raise ComputationError("0A000", f'like_regex with flag "{node.flags}" is not supported')
        sought = re.escape(pattern[0]) if "q" in node.flags else pattern[0]
        flags = (re.IGNORECASE if "i" in node.flags else 0) | (re.DOTALL if "s" in node.flags else 0)
        expression = re.compile(sought, flags)
        return self._any(expression.search(value) is not None if isinstance(value, str) else None for value in texts)


def _compared(name: str, left: Any, right: Any) -> bool | None:
    kinds = (kind(left), kind(right))
    if "array" in kinds or "object" in kinds:
        return None
    if kinds[0] != kinds[1]:
        return name == "!=" if "null" in kinds else None
    if kinds[0] == "null":
        return name in ("==", "<=", ">=")
    return _ORDERS[name](left, right)


def _below(value: Any, level: int, node: Descendants) -> Iterator[Any]:
    if level >= node.first:
        yield value
    if node.last is not None and level >= node.last:
        return
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inner:
        yield from _below(item, level + 1, node)


def _number(value: Any, name: str) -> Decimal:
    if name == "double" and isinstance(value, str):
        try:
            found = Decimal(value.strip())
        except ArithmeticError:
            found = Decimal("NaN")
        if not found.is_finite():
            raise ComputationError(
                "22036",
                "string argument of jsonpath item method .double() is not a valid representation of a double"
                " precision number",
            )
        return found
    if not isinstance(value, Decimal):
        wanted = "a string or numeric value" if name == "double" else "a numeric value"
        raise ComputationError("22036", f"jsonpath item method .{name}() can only be applied to {wanted}")
    match name:
        case "ceiling":
            return value.to_integral_value("ROUND_CEILING")
        case "floor":
            return value.to_integral_value("ROUND_FLOOR")
        case "abs":
            return abs(value)
        case _:
            return value
