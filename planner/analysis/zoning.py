"""What depends on the time zone that a query computes in, as calls that name the zone (``planner.zone_functions``).

    timestamptz::date            con_zone_local('Europe/Berlin', …)::date
    timestamp = timestamptz      con_zone_instant('Europe/Berlin', …) = …
    timestamptz + INTERVAL       con_zone_add('Europe/Berlin', …, …)

In UTC DataFusion answers right by itself, and the query is left as it is, unless one of another zone is part of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pglast import ast

from constellationdb.catalog.text.times import one_timestamp
from constellationdb.catalog.text.zones import UTC_ZONE, zone_named
from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.analysis import forms, kinds
from constellationdb.planner.analysis.kinds import DATE, INTERVAL, TIMESTAMP, TIMESTAMPTZ, Kind
from constellationdb.planner.rewrite.tree import last_name, replace
from constellationdb.planner.scalar_texts import instant_us
from constellationdb.planner.text_functions import SUFFIX_OF_NAME, list_printer

_LOCAL = (DATE, TIMESTAMP)
_PRINTERS = {
    f"con_text_{SUFFIX_OF_NAME[TIMESTAMPTZ]}": "con_zone_text",
    list_printer(TIMESTAMPTZ): "con_zone_list_text",
}


@dataclass(frozen=True)
class Zoning:
    """``explicit``: whether all that depends on the zone is said with its name."""

    name: str = "UTC"
    explicit: bool = False

    def call(self, function: str, *arguments: Any) -> Any:
        return forms.call(f"con_zone_{function}", forms.text(self.name), *arguments)

    def local(self, node: Any) -> Any:
        """A timestamptz as the timestamp that the zone's clocks show."""
        return self.call("local", node) if self.explicit else kinds.cast(node, TIMESTAMP)

    def instant(self, node: Any, kind: Kind) -> Any:
        """A date or timestamp of the zone as a timestamptz."""
        if not self.explicit:
            return kinds.cast(node, TIMESTAMPTZ)
        return self.call("instant", node if kind == TIMESTAMP else kinds.cast(node, TIMESTAMP))

    def met(self, node: Any, kind: Kind, wanted: Kind) -> Any:
        """``node`` as what it must become beside a value of the type ``wanted``."""
        return self.instant(node, kind) if self.explicit and wanted == TIMESTAMPTZ and kind in _LOCAL else node

    def cast(self, node: Any, kind: Kind, wanted: str) -> Any | None:
        """A cast that depends on the zone; None for any other."""
        if not self.explicit:
            return None
        if kind == TIMESTAMPTZ and wanted in (*_LOCAL, kinds.TIME):
            return self.local(node) if wanted == TIMESTAMP else kinds.cast(self.local(node), wanted)
        if wanted == TIMESTAMPTZ and kind in _LOCAL:
            return self.instant(node, kind)
        if wanted == TIMESTAMPTZ and kind in kinds.TEXTS:
            return self.call("read", kinds.cast(node, kinds.TEXT))
        return None

    def moved(self, operator: str, left: tuple[Any, Kind], right: tuple[Any, Kind]) -> Any | None:
        """A timestamptz plus or minus an interval; None for any other operation."""
        if not self.explicit or {left[1], right[1]} != {TIMESTAMPTZ, INTERVAL}:
            return None
        if operator == "-" and left[1] == TIMESTAMPTZ:
            back = forms.call("con_interval_multiply", right[0], kinds.cast(forms.integer(-1), kinds.DOUBLE))
            return self.call("add", left[0], back)
        moment, span = (left, right) if left[1] == TIMESTAMPTZ else (right, left)
        return self.call("add", moment[0], span[0]) if operator == "+" else None

    def between(self, operator: str, left: tuple[Any, Kind], right: tuple[Any, Kind]) -> Any | None:
        """The time from one timestamptz to another."""
        if not self.explicit or operator != "-" or left[1] != TIMESTAMPTZ or right[1] != TIMESTAMPTZ:
            return None
        return forms.call("con_interval_between", in_utc(left[0]), in_utc(right[0]))

    def spelled(self, tree: Any) -> Any:
        """The tree with its constants of timestamptz as instants, and timestamptz printed in the zone."""
        return replace(tree, self._spell) if self.explicit else tree

    def _spell(self, node: Any) -> Any | None:
        if isinstance(node, ast.FuncCall) and last_name(node) in _PRINTERS:
            arguments = (forms.text(self.name), *node.args)
            return ast.FuncCall(funcname=(ast.String(sval=_PRINTERS[last_name(node)]),), args=arguments)
        if not isinstance(node, ast.TypeCast) or node.typeName.names[-1].sval != "timestamptz":
            return None
        if node.typeName.arrayBounds or not isinstance(node.arg, ast.A_Const) or node.arg.isnull:
            return None
        if not isinstance(node.arg.val, ast.String):
            return None
        us = instant_us(node.arg.val.sval, zone_named(self.name) or UTC_ZONE, None)
        node.arg = forms.text(one_timestamp(us, "+00"))
        return None


IN_UTC = Zoning()


def in_utc(node: Any) -> Any:
    """A timestamptz as a timestamp for functions of no zone."""
    return forms.call("con_zone_local", forms.text("UTC"), node)


def unknown(position: int | None) -> FeatureNotSupported:
    return FeatureNotSupported(
        "a timestamp with time zone cannot be converted here in another time zone than UTC",
        hint="write the cast, as in value::timestamptz",
        position=position,
    )
