"""Signatures of operators and functions, and the notation they are listed in."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

from constellationdb.catalog.model import Function
from constellationdb.catalog.types import named
from constellationdb.planner import postgres_types as types
from constellationdb.planner.relations import PlannedFunctions

_LINE_END = re.compile(r"\n(?! )")


@dataclass(frozen=True)
class Signature:
    """``variadic``: the last of ``arguments`` may come any number of times, once at least."""

    arguments: tuple[str, ...]
    result: str
    variadic: bool = False

    def of(self, count: int) -> Signature | None:
        """This signature with ``count`` arguments; None when it cannot have them."""
        if not self.variadic:
            return self if len(self.arguments) == count else None
        more = count - len(self.arguments)
        return None if more < 0 else Signature(self.arguments + self.arguments[-1:] * more, self.result)


def read_signatures(text: str) -> dict[str, tuple[Signature, ...]]:
    """By name, from lines such as ``+ -: int4, int4 int4 → int4; date int4 → date``."""
    found: dict[str, list[Signature]] = defaultdict(list)
    for line in _LINE_END.split(text.strip()):
        names, _, groups = " ".join(line.split()).partition(": ")
        for group in groups.split(";"):
            arguments, _, result = group.rpartition(" → ")
            for name in names.split():
                found[name] += [_signature(types, result.strip()) for types in arguments.split(",")]
    return {name: tuple(signatures) for name, signatures in found.items()}


def _signature(types: str, result: str) -> Signature:
    names = types.replace("()", "").split()
    variadic = bool(names) and names[-1].endswith("...")
    return Signature(tuple(name.removesuffix("...") for name in names), result, variadic)


def of_users(functions: PlannedFunctions | None) -> dict[str, tuple[Signature, ...]]:
    """Of users' functions: one with a default is two, as in Postgres' own list."""
    known = {} if functions is None else functions.by_name
    return {name: tuple(s for f in same for s in _of_user(f)) for name, same in known.items()}


def _of_user(function: Function) -> list[Signature]:
    names = [_type(kind) for kind in function.types]
    result = _type(function.returns)
    return [Signature(tuple(names[:count]), result) for count in range(function.needed, len(names) + 1)]


def _type(shown: str) -> str:
    found = named(shown)
    return (types.by_oid(found.oid) if found is not None else None) or "record"
