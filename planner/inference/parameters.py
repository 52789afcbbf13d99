"""The parameters of one statement, as far as their types are known; and typed expressions, which may be one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from constellationdb.errors import AmbiguousParameter, IndeterminateDatatype
from constellationdb.planner import postgres_types as types
from constellationdb.planner.postgres_types import UNKNOWN, Type


@dataclass(frozen=True)
class Typed:
    """An expression's type. ``parameter``: it is nothing but $n, which had no type when it was met."""

    type: Type
    parameter: int = 0
    position: int | None = None


class Parameters:
    """``given`` are the client's oids, 0 where it leaves the type to us."""

    def __init__(self, given: Sequence[int]) -> None:
        self._given = {number: oid for number, oid in enumerate(given, 1) if oid not in (0, types.oid_of(UNKNOWN))}
        self._found: dict[int, str] = {}
        self._last = len(given)  # the highest number
        self._open: dict[tuple[int, int | None], None] = {}  # references that have no type yet
        self.incomplete = False  # something was met that is not known here

    def reference(self, number: int, position: int | None) -> Typed:
        self._last = max(self._last, number)
        if number in self._given:
            return Typed(types.by_oid(self._given[number]))
        if number in self._found:
            return Typed(self._found[number])
        self._open[number, position] = None
        return Typed(UNKNOWN, number, position)

    def become(self, expression: Typed, kind: Type) -> None:
        """``expression`` is used as a ``kind``; 42P08 when another use, met before its type was known, disagrees."""
        if not expression.parameter or kind in (None, UNKNOWN, "any", "record"):
            return
        assert kind is not None
        self._open.pop((expression.parameter, expression.position), None)
        known = self._found.setdefault(expression.parameter, kind)
        if known != kind:
            raise AmbiguousParameter(
                f"inconsistent types deduced for parameter ${expression.parameter}",
                detail=f"{types.display(known)} versus {types.display(kind)}",
                position=expression.position,
            )

    def oids(self) -> tuple[int, ...]:
        """One for each $n up to the highest; 42P18 for one that nothing says the type of.

        42P08 where a parameter got its type too late for one of its uses.
        """
        for number, position in self._open:
            if number in self._found and not self.incomplete:
                raise AmbiguousParameter(f"could not determine data type of parameter ${number}", position=position)
        return tuple(self._oid(number) for number in range(1, self._last + 1))

    def _oid(self, number: int) -> int:
        if number in self._given:
            return self._given[number]
        if number in self._found:
            return types.oid_of(self._found[number])
        if not self.incomplete:
            raise IndeterminateDatatype(f"could not determine data type of parameter ${number}")
        return types.oid_of("text")

    def retyped(self, expression: Typed) -> Typed:
        """``expression`` with the type that a parameter may have got since it was met."""
        if not expression.parameter or expression.parameter not in self._found:
            return expression
        return Typed(self._found[expression.parameter])
