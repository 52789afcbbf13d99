"""make_time, make_timestamp and make_timestamptz: a moment by its parts."""

from __future__ import annotations

from constellationdb.planner.analysis import forms, kinds
from constellationdb.planner.analysis.kinds import DOUBLE, INTEGER, UNKNOWN
from constellationdb.planner.analysis.typed import Typed
from constellationdb.planner.analysis.zoning import Zoning

_MADE = {
    "make_time": (2, "con_make_time", kinds.TIME),
    "make_timestamp": (5, "con_make_timestamp", kinds.TIMESTAMP),
    "make_timestamptz": (5, "con_make_timestamp", kinds.TIMESTAMPTZ),
}


def answered(name: str, arguments: list[Typed], zoning: Zoning) -> Typed | None:
    """What a call is; None when it is none of these, or of other arguments."""
    if name not in _MADE:
        return None
    whole, function, kind = _MADE[name]
    fits = [(kinds.SMALLINT, INTEGER)] * whole + [kinds.NUMBERS]
    if len(arguments) != len(fits):
        return None
    if any(a.kind not in (None, UNKNOWN, *fit) for a, fit in zip(arguments, fits, strict=True)):
        return None
    wanted = [INTEGER] * whole + [DOUBLE]
    made = forms.call(function, *(kinds.cast(a.node, k) for a, k in zip(arguments, wanted, strict=True)))
    if kind == kinds.TIMESTAMPTZ:
        made = zoning.met(made, kinds.TIMESTAMP, kind) if zoning.explicit else kinds.cast(made, kind)
    return Typed(made, kind)
