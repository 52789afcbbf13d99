"""Functions that say something of the server, the moment or the type of a value: what stands in their place."""

from __future__ import annotations

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.analysis import forms, kinds
from constellationdb.planner.analysis.typed import Typed
from constellationdb.planner.rewrite.tree import parse_expression, to_sql

# A snapshot query is one moment; a view has none, and refuses them by name.
_MOMENTS = frozenset({"now", "clock_timestamp", "statement_timestamp", "transaction_timestamp"})


def answered(name: str, arguments: list[Typed], position: int | None) -> Typed | None:
    """What a call of ``name`` is; None when it is another function."""
    if not arguments and name in _MOMENTS:  # DataFusion's has nanoseconds
        return Typed(kinds.cast(forms.call("now"), kinds.TIMESTAMPTZ), kinds.TIMESTAMPTZ)
    if len(arguments) == 1 and name == "pg_typeof":
        return _type_of(arguments[0], position)
    if len(arguments) == 2 and name == "age":
        return _age(arguments)
    return None


def _type_of(argument: Typed, position: int | None) -> Typed:
    """The value itself is asked for, too: it may be an aggregate."""
    if argument.kind is None:
        raise FeatureNotSupported(
            "pg_typeof of a value whose type is not known here is not supported", position=position
        )
    name = argument.kind
    return Typed(
        parse_expression(f"CASE WHEN ({to_sql(argument.node)}) IS NULL THEN '{name}' ELSE '{name}' END"), kinds.TEXT
    )


def _age(arguments: list[Typed]) -> Typed | None:
    if any(argument.kind not in (*kinds.MOMENTS, kinds.UNKNOWN) for argument in arguments):
        return None
    moments = [kinds.cast(argument.node, kinds.TIMESTAMP) for argument in arguments]
    return Typed(forms.call("con_age", *moments), kinds.INTERVAL)
