"""Signatures over ``anyelement``, ``anycompatible`` and their arrays, with the types that a call gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from constellationdb.errors import DatatypeMismatch
from constellationdb.planner import postgres_types as types
from constellationdb.planner.inference.signatures import Signature
from constellationdb.planner.inference.together import common
from constellationdb.planner.postgres_types import UNKNOWN

_SAME = frozenset({"anyelement", "anynonarray"})
_COMPATIBLE = frozenset({"anycompatible", "anycompatiblenonarray"})
_ARRAYS = frozenset({"anyarray", "anycompatiblearray"})
POLYMORPHIC = _SAME | _COMPATIBLE | _ARRAYS


def settled(signature: Signature, arguments: Sequence[str], *, strictly: bool = True) -> Signature | None:
    """``signature`` without polymorphic types; None when the arguments do not go together.

    Where no argument says what the type is, ``anycompatible`` is text, and ``anyelement`` an error unless
    candidates are only compared (``strictly`` False).
    """
    if not POLYMORPHIC.intersection((*signature.arguments, signature.result)):
        return signature
    compatible = any("anycompatible" in kind for kind in signature.arguments)
    elements: list[str] = []
    for declared, given in zip(signature.arguments, arguments, strict=True):
        if declared not in POLYMORPHIC or given == UNKNOWN:
            continue
        if declared in _ARRAYS and not types.is_array(given):
            return None
        if declared in ("anynonarray", "anycompatiblenonarray") and types.is_array(given):
            return None
        elements.append(given[:-2] if declared in _ARRAYS else given)
    element = _together(elements, compatible=compatible)
    if element is None:
        return None
    if element == UNKNOWN:
        if not compatible:
            if not strictly:
                return signature
            raise DatatypeMismatch("could not determine polymorphic type because input has type unknown")
        element = "text"
    array = types.array_of(element)
    if types.is_array(element) and _ARRAYS.intersection(signature.arguments):
        return None  # there are no arrays of arrays
    made = dict.fromkeys(_SAME | _COMPATIBLE, element) | dict.fromkeys(_ARRAYS, array or element)
    return replace(
        signature,
        arguments=tuple(made.get(kind, kind) for kind in signature.arguments),
        result=made.get(signature.result, signature.result),
    )


def _together(elements: list[str], *, compatible: bool) -> str | None:
    if not elements:
        return UNKNOWN
    if not compatible:
        return elements[0] if len(set(elements)) == 1 else None
    return common(elements)
