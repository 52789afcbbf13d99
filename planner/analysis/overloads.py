"""Which of a user's functions a call means, by Postgres' rules: names of arguments, then types, then preference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from constellationdb.catalog.model import Function
from constellationdb.errors import AmbiguousFunction, SqlSyntaxError, UndefinedFunction
from constellationdb.planner.analysis import kinds
from constellationdb.planner.analysis.kinds import UNKNOWN, Kind

NO_FUNCTION = "No function matches the given name and argument types. You might need to add explicit type casts."
_AMBIGUOUS = "Could not choose a best candidate function. You might need to add explicit type casts."
_PREFERRED = frozenset({kinds.TEXT, kinds.DOUBLE, kinds.TIMESTAMPTZ, kinds.BOOLEAN, kinds.INTERVAL})
_WIDENING = (kinds.NUMBERS, kinds.MOMENTS)  # each member becomes those after it without being asked


@dataclass(frozen=True)
class Given:
    """An argument of a call; ``name`` where it says which it is. ``position`` is where it stands."""

    name: str | None
    kind: Kind
    position: int | None = None


@dataclass(frozen=True)
class Match:
    """``places``: for each parameter the argument that it gets; None: its default."""

    function: Function
    places: tuple[int | None, ...]


def choose(functions: Sequence[Function], name: str, given: Sequence[Given], position: int | None) -> Match:
    _check_names(given)
    matches = [m for f in functions if (m := _matched(f, given)) is not None]
    matches = [m for m in matches if all(_accepts(*pair) for pair in _pairs(m, given))]
    if not matches:
        raise UndefinedFunction(f"function {shown(name, given)} does not exist", hint=NO_FUNCTION, position=position)
    for score in (_exact, _preferred, _texts, _without_defaults):
        best = max(score(m, given) for m in matches)
        matches = [m for m in matches if score(m, given) == best]
    if len(matches) > 1:
        raise AmbiguousFunction(f"function {shown(name, given)} is not unique", hint=_AMBIGUOUS, position=position)
    return matches[0]


def shown(name: str, given: Sequence[Given]) -> str:
    listed = [f"{g.name} => {g.kind or UNKNOWN}" if g.name else str(g.kind or UNKNOWN) for g in given]
    return f"{name}({', '.join(listed)})"


def _check_names(given: Sequence[Given]) -> None:
    seen: set[str] = set()
    for argument in given:
        if argument.name is None and seen:
            raise SqlSyntaxError("positional argument cannot follow named argument", position=argument.position)
        if argument.name in seen:
            raise SqlSyntaxError(f'argument name "{argument.name}" used more than once', position=argument.position)
        if argument.name is not None:
            seen.add(argument.name)


def _matched(function: Function, given: Sequence[Given]) -> Match | None:
    """None where the arguments do not find places, or leave one without a value."""
    names = [parameter.name for parameter in function.parameters]
    places: list[int | None] = [None] * len(names)
    for number, argument in enumerate(given):
        if argument.name is not None and argument.name not in names:
            return None
        place = number if argument.name is None else names.index(argument.name)
        if place >= len(names) or places[place] is not None:
            return None
        places[place] = number
    pairs = zip(function.parameters, places, strict=True)
    complete = all(place is not None or parameter.default is not None for parameter, place in pairs)
    return Match(function, tuple(places)) if complete else None


def _pairs(match: Match, given: Sequence[Given]) -> list[tuple[str, Kind]]:
    pairs = zip(match.function.types, match.places, strict=True)
    return [(declared, given[place].kind) for declared, place in pairs if place is not None]


def _accepts(declared: str, found: Kind) -> bool:
    if found in (None, UNKNOWN, declared):
        return True
    for family in _WIDENING:
        if declared in family and found in family:
            return family.index(declared) >= family.index(found)
    return declared == kinds.TEXT and found in kinds.TEXTS


def _exact(match: Match, given: Sequence[Given]) -> int:
    return sum(declared == found for declared, found in _pairs(match, given))


def _preferred(match: Match, given: Sequence[Given]) -> int:
    """Of what must be converted."""
    pairs = _pairs(match, given)
    return sum(d in _PREFERRED for d, found in pairs if found not in (d, UNKNOWN, None))


def _texts(match: Match, given: Sequence[Given]) -> int:
    """A literal is rather a text than anything else."""
    return sum(declared == kinds.TEXT for declared, found in _pairs(match, given) if found in (UNKNOWN, None))


def _without_defaults(match: Match, given: Sequence[Given]) -> int:  # noqa: ARG001
    return -sum(place is None for place in match.places)
