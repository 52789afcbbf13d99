"""Which of several signatures a call means: ``func_select_candidate``."""

from __future__ import annotations

from collections.abc import Sequence

from constellationdb.planner import postgres_types as types
from constellationdb.planner.inference.polymorphic import POLYMORPHIC, settled
from constellationdb.planner.inference.signatures import Signature
from constellationdb.planner.postgres_types import UNKNOWN


class AmbiguousError(Exception):
    """Several signatures fit, and none of them better than the others."""


def operator(candidates: Sequence[Signature], operands: Sequence[str]) -> Signature | None:
    """The operator with ``operands``, its types settled; None when there is none."""
    if len(operands) == 2 and UNKNOWN in operands:  # an operand of no type is first taken to be of the other's
        other = operands[0] if operands[1] == UNKNOWN else operands[1]
        exact = _exact(candidates, (other, other))
        if exact is not None:
            return exact
    return function(candidates, operands)


def function(candidates: Sequence[Signature], arguments: Sequence[str]) -> Signature | None:
    """The function with ``arguments``, its types settled; None when there is none."""
    exact = _exact(candidates, tuple(arguments))
    if exact is not None:
        return settled(exact, arguments)
    sized = [s for c in candidates if (s := c.of(len(arguments))) is not None]
    fitting = [s for s in sized if _accepts(s, arguments)]
    if not fitting:
        return None
    chosen = fitting[0] if len(fitting) == 1 else _best(fitting, arguments)
    return settled(chosen, arguments)


def _exact(candidates: Sequence[Signature], arguments: tuple[str, ...]) -> Signature | None:
    return next((c for c in candidates if c.arguments == arguments and not c.variadic), None)


def _accepts(signature: Signature, arguments: Sequence[str]) -> bool:
    pairs = list(zip(arguments, signature.arguments, strict=True))
    if not all(target in POLYMORPHIC or types.casts(source, target) for source, target in pairs):
        return False
    return settled(signature, arguments, strictly=False) is not None


def _best(candidates: list[Signature], arguments: Sequence[str]) -> Signature:
    known = [i for i, kind in enumerate(arguments) if kind != UNKNOWN]
    unknown = [i for i, kind in enumerate(arguments) if kind == UNKNOWN]
    candidates = _most(candidates, lambda s: sum(s.arguments[i] == arguments[i] for i in known))
    if len(candidates) == 1:
        return candidates[0]
    candidates = _most(candidates, lambda s: sum(_is_near(s.arguments[i], arguments[i]) for i in known))
    if len(candidates) == 1:
        return candidates[0]
    if unknown:
        candidates = _of_categories(candidates, unknown) or candidates
        if len(candidates) == 1:
            return candidates[0]
        kinds = {arguments[i] for i in known}
        if len(kinds) == 1:  # the unknown ones are taken to be of the type that all the others have
            same = [s for s in candidates if _accepts(s, list(kinds) * len(arguments))]
            if len(same) == 1:
                return same[0]
    raise AmbiguousError


def _is_near(target: str, source: str) -> bool:
    """Whether an argument fits exactly, or by the type that its category prefers."""
    return target == source or (types.is_preferred(target) and types.category(target) == types.category(source))


def _most(candidates: list[Signature], score: object) -> list[Signature]:
    scores = [score(c) for c in candidates]  # type: ignore[operator]
    return [c for c, s in zip(candidates, scores, strict=True) if s == max(scores)]


def _of_categories(candidates: list[Signature], unknown: list[int]) -> list[Signature]:
    """Those that take, for each argument of no type, the preferred type of the one category there is, or a string."""
    kept = candidates
    for place in unknown:
        wanted = [s.arguments[place] for s in candidates]
        categories = {types.category(kind) for kind in wanted}
        if len(categories) > 1 and "S" not in categories:
            return []
        category = "S" if "S" in categories else categories.pop()
        mine = [kind for kind in wanted if types.category(kind) == category]
        preferred = any(types.is_preferred(kind) for kind in mine)
        kept = [
            s for s in kept
            if types.category(s.arguments[place]) == category
            and (not preferred or types.is_preferred(s.arguments[place]))
        ]  # fmt: skip
    return kept
