"""Randomness that is written down: a failing case is made small by giving its draws again, fewer and lower.

Every part of a case (schema, query, the changes of one relation in one epoch …) draws from
its own ``Choices``, so that a simpler query keeps its data and less data keeps its query.
Zero is always the simplest draw: the first of a list, no row, "no" to every chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from typing import TypeAlias, TypeVar

Recorded: TypeAlias = dict[str, tuple[int, ...]]
_BITS = 16
_ATTEMPTS = 1000
_T = TypeVar("_T")


class Choices(Random):
    """A Random that notes its draws in ``taken``. With ``given`` it draws those, then zeros."""

    def __init__(self, seed: str, given: Sequence[int] | None = None) -> None:
        self._given = given
        self.taken: list[int] = []
        super().__init__(seed)

    def getrandbits(self, k: int, /) -> int:
        if self._given is None:
            value = super().getrandbits(k)
        else:
            place = len(self.taken)
            value = self._given[place] & ((1 << k) - 1) if place < len(self._given) else 0
        self.taken.append(value)
        return value

    def random(self) -> float:
        """In [0, 1); the simplest draw is the greatest, so that ``random() < chance`` says no."""
        return 1 - (self.getrandbits(_BITS) + 1) / (1 << _BITS)

    def sample(self, population: Sequence[_T], k: int, *, counts: Iterable[int] | None = None) -> list[_T]:
        """Python's own draws again until it has another place of a long list: with zeros for ever."""
        assert counts is None
        left = list(population)
        return [left.pop(self.randrange(len(left))) for _ in range(k)]


class Draws:
    """The parts of one case, by name; all from one seed, or those of ``given``."""

    def __init__(self, seed: str, given: Mapping[str, Sequence[int]] | None = None) -> None:
        self._seed = seed
        self.given = given
        self._parts: dict[str, Choices] = {}

    def part(self, name: str) -> Choices:
        if name not in self._parts:
            given = None if self.given is None else self.given.get(name, ())
            self._parts[name] = Choices(f"{self._seed}/{name}", given)
        return self._parts[name]

    def until(self, parts: Sequence[str], drawn: Callable[[], _T], fits: Callable[[_T], bool]) -> _T:
        """What ``drawn`` makes of these parts, drawn anew until it fits, or too often; what was given is drawn once."""
        made = drawn()
        for attempt in range(1, _ATTEMPTS if self.given is None else 1):
            if fits(made):
                break
            self._parts |= {name: Choices(f"{self._seed}/{name}, {attempt}") for name in parts}
            made = drawn()
        return made

    def recorded(self) -> Recorded:
        return {name: tuple(part.taken) for name, part in self._parts.items()}


def shrink(recorded: Recorded, fails: Callable[[Recorded], Recorded | None], attempts: int) -> Recorded:
    """Smaller draws that still fail. ``fails`` runs a case: what it drew when it failed, else None."""
    best, left = recorded, attempts

    def better(candidate: Recorded) -> bool:
        nonlocal best, left
        if left <= 0 or _size(candidate) >= _size(best):
            return False
        left -= 1
        drawn = fails(candidate)
        if drawn is None or _size(drawn) >= _size(best):
            return False
        best = drawn
        return True

    before = None
    while before != best and left > 0:
        before = best
        for name in sorted(best, key=lambda part: -len(best[part])):
            better({**best, name: ()})
        for name in list(best):
            _drop_pieces(name, lambda: best, better)
            _lower_values(name, lambda: best, better)
    return best


def _size(recorded: Recorded) -> tuple[int, int]:
    values = [value for part in recorded.values() for value in part]
    return sum(1 for value in values if value), sum(values) + len(values)


def _drop_pieces(name: str, best: Callable[[], Recorded], better: Callable[[Recorded], bool]) -> None:
    """Cut pieces out of a part's draws, or set them to zero, halves first and single draws last."""
    length = len(best().get(name, ()))
    while length:
        start = 0
        while start < len(best().get(name, ())):
            values = best()[name]
            piece = values[start : start + length]
            cut = values[:start] + values[start + length :]
            zeroed = values[:start] + (0,) * len(piece) + values[start + length :]
            if not any(piece) or not (better({**best(), name: cut}) or better({**best(), name: zeroed})):
                start += length
        length //= 2


def _lower_values(name: str, best: Callable[[], Recorded], better: Callable[[Recorded], bool]) -> None:
    for place in range(len(best().get(name, ()))):
        values = best().get(name, ())
        if place < len(values) and values[place] > 1:
            for lower in (1, values[place] // 2, values[place] - 1):
                if better({**best(), name: (*values[:place], lower, *values[place + 1 :])}):
                    break
