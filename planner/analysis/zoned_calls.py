"""Calls that depend on a zone: AT TIME ZONE, which is timezone(), date_trunc, age."""

from __future__ import annotations

from typing import Any

from pglast import ast

from constellationdb.errors import FeatureNotSupported, UndefinedFunction
from constellationdb.planner.analysis import fields, forms, kinds, texts
from constellationdb.planner.analysis.kinds import DATE, INTERVAL, TIMESTAMP, TIMESTAMPTZ, UNKNOWN
from constellationdb.planner.analysis.typed import Typed
from constellationdb.planner.analysis.zoning import Zoning

BY_CLOCKS = frozenset({"extract", "date_part", "date_trunc", "to_char", "age", "generate_series"})
# Functions whose moments are all of one type.
ALIKE = frozenset({"date_bin", "lag", "lead"})


def alike(arguments: list[Typed], zoning: Zoning, position: int | None) -> list[Typed]:
    """The arguments, those that are to be a timestamptz beside another as such."""
    first = arguments[0].kind
    if TIMESTAMPTZ not in {argument.kind for argument in arguments}:
        return arguments
    return [
        Typed(_as_instant(argument, zoning, position), TIMESTAMPTZ)
        if argument.kind in (DATE, TIMESTAMP) or (place == 2 and argument.kind == UNKNOWN)
        or (place == 1 and argument.kind == UNKNOWN and first in (UNKNOWN, INTERVAL))
        else argument
        for place, argument in enumerate(arguments)
    ]  # fmt: skip


def answered(name: str, arguments: list[Typed], zoning: Zoning, position: int | None) -> Typed | None:
    """What a call is that goes by the clocks of a zone; None for other functions, and where UTC is meant."""
    if name == "date_trunc":
        return _truncated(arguments, zoning, position)
    if name == "date_bin" and zoning.explicit and len(arguments) == 3 and arguments[1].kind == TIMESTAMPTZ:
        return Typed(forms.call("date_bin", *(argument.node for argument in arguments)), TIMESTAMPTZ)
    if name == "age" and len(arguments) == 2:
        return _age(arguments, zoning, position)
    if name == "to_timestamp" and len(arguments) == 1 and arguments[0].kind in (UNKNOWN, *kinds.NUMBERS):
        made = forms.call("to_timestamp", kinds.cast(arguments[0].node, kinds.DOUBLE))
        return Typed(kinds.cast(made, TIMESTAMPTZ), TIMESTAMPTZ) if zoning.explicit else None
    if name == "timezone" and len(arguments) == 2:
        return _at_time_zone(arguments, zoning, position)
    return None


def _truncated(arguments: list[Typed], zoning: Zoning, position: int | None) -> Typed | None:
    """date_trunc of a timestamptz, by the clocks of the zone, which may be its third argument."""
    if len(arguments) == 3:
        unit, moment, zone = arguments
        if zone.kind not in (UNKNOWN, *kinds.TEXTS) or moment.kind not in (UNKNOWN, DATE, TIMESTAMPTZ, TIMESTAMP):
            return None
        node = _as_instant(moment, zoning, position)
        return Typed(fields.truncated_in("con_timezone", zone.node, unit.node, node, position), TIMESTAMPTZ)
    if len(arguments) != 2 or not zoning.explicit or arguments[1].kind != TIMESTAMPTZ:
        return None
    unit, moment = (argument.node for argument in arguments)
    return Typed(fields.truncated_in("con_zone", forms.text(zoning.name), unit, moment, position), TIMESTAMPTZ)


def _age(arguments: list[Typed], zoning: Zoning, position: int | None) -> Typed | None:
    """By the clocks of the zone, where an argument is a timestamptz, or none a timestamp."""
    found = {argument.kind for argument in arguments}
    if (
        not zoning.explicit
        or not found <= {*kinds.MOMENTS, UNKNOWN}
        or (TIMESTAMP in found and TIMESTAMPTZ not in found)
    ):
        return None
    moments = [zoning.local(_as_instant(argument, zoning, position)) for argument in arguments]
    return Typed(forms.call("con_age", *moments), INTERVAL)


def _at_time_zone(arguments: list[Typed], zoning: Zoning, position: int | None) -> Typed:
    zone, moment = arguments
    prefix, place = "con_timezone", zone.node
    if zone.kind == INTERVAL:
        prefix, place = "con_zone", forms.call("con_zone_of_interval", zone.node)
    elif zone.kind not in (None, UNKNOWN, *kinds.TEXTS):
        raise _missing(arguments, position)
    if moment.kind not in (None, UNKNOWN, kinds.TIME, *kinds.MOMENTS):
        raise _missing(arguments, position)
    if moment.kind == TIMESTAMP:
        return Typed(forms.call(f"{prefix}_instant", place, moment.node), TIMESTAMPTZ)
    return Typed(forms.call(f"{prefix}_local", place, _as_instant(moment, zoning, position)), TIMESTAMP)


def _as_instant(moment: Typed, zoning: Zoning, position: int | None) -> Any:
    """An argument that is to be a timestamptz."""
    node = moment.node
    if moment.kind in (DATE, TIMESTAMP):
        return zoning.instant(node, moment.kind)
    if moment.kind == UNKNOWN and isinstance(node, ast.A_Const):
        return kinds.cast(node, TIMESTAMPTZ) if node.isnull else texts.typed(node, TIMESTAMPTZ, position)
    if moment.kind == kinds.TIME:
        raise FeatureNotSupported("AT TIME ZONE of a time is not supported", position=position)
    if moment.kind is None:
        raise FeatureNotSupported(
            "AT TIME ZONE of a value whose type is not known here is not supported",
            hint="cast it, as in value::timestamptz",
            position=position,
        )
    return node


def _missing(arguments: list[Typed], position: int | None) -> UndefinedFunction:
    shown = ", ".join(str(argument.kind) for argument in arguments)
    return UndefinedFunction(
        f"function pg_catalog.timezone({shown}) does not exist",
        hint="No function matches the given name and argument types. You might need to add explicit type casts.",
        position=position,
    )
