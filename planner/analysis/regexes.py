"""Calls of regular expressions: their arguments made complete, as ``planner/regex_functions`` takes them."""

from __future__ import annotations

from typing import Any

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.analysis import forms, kinds
from constellationdb.planner.analysis.kinds import INTEGER, TEXT, UNKNOWN, Kind
from constellationdb.planner.analysis.typed import Typed

# What stands for an argument that is left out, after the text and the pattern.
_CALLS: dict[str, tuple[str, Kind, tuple[Any, ...]]] = {
    "regexp_match": ("con_regexp_match", "text[]", ("",)),
    "regexp_split_to_array": ("con_regexp_split", "text[]", ("",)),
    "regexp_count": ("con_regexp_count", INTEGER, (1, "")),
    "regexp_substr": ("con_regexp_substr", TEXT, (1, 1, "", 0)),
    "substring": ("con_regexp_substring", TEXT, ()),
}
_SETS: dict[str, tuple[str, Kind]] = {
    "regexp_matches": ("con_regexp_matches", "text[]"),
    "regexp_split_to_table": ("con_regexp_split", TEXT),
}
SETS = frozenset(_SETS)


def answered(name: str, arguments: list[Typed], position: int | None) -> Typed | None:
    """What a call is; None when it is no function of regular expressions, or of other arguments than those."""
    if name == "regexp_replace" and (len(arguments) > 4 or any(a.kind in kinds.INTEGERS for a in arguments[3:])):
        raise FeatureNotSupported("regexp_replace from a position on is not supported", position=position)
    if name not in _CALLS:
        return None
    function, kind, defaults = _CALLS[name]
    nodes = _completed(arguments, defaults)
    return None if nodes is None else Typed(forms.call(function, *nodes), kind)


def is_known(name: str) -> bool:
    """Whether only calls that are answered here have this name."""
    return name in _CALLS and name != "substring"


def array_of(name: str, arguments: list[Typed]) -> Typed | None:
    """The array whose elements a call returns."""
    if name not in _SETS:
        return None
    function, kind = _SETS[name]
    nodes = _completed(arguments, ("",))
    return None if nodes is None else Typed(forms.call(function, *nodes), kind)


def _completed(arguments: list[Typed], defaults: tuple[Any, ...]) -> list[Any] | None:
    if not 2 <= len(arguments) <= 2 + len(defaults):
        return None
    wanted = [TEXT, TEXT, *(INTEGER if isinstance(default, int) else TEXT for default in defaults)]
    for argument, kind in zip(arguments, wanted, strict=False):
        family = kinds.INTEGERS if kind == INTEGER else kinds.TEXTS
        if argument.kind not in (None, UNKNOWN) and argument.kind not in family:
            return None
    given = [kinds.cast(argument.node, kind or TEXT) for argument, kind in zip(arguments, wanted, strict=False)]
    left = defaults[len(arguments) - 2 :]
    made = (kinds.cast(forms.integer(d), INTEGER) if isinstance(d, int) else forms.text(d) for d in left)
    return [*given, *made]
