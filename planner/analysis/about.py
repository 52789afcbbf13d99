"""Functions that say something of the server, the moment or the type of a value: what stands in their place."""

from __future__ import annotations

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.analysis import forms, kinds
from constellationdb.planner.analysis.typed import Typed
from constellationdb.planner.rewrite.tree import parse_expression, to_sql

_TEXTS = {"version": "PostgreSQL 15.0 (Constellation 0.1.0)"}
_NAMES = {"current_database": "constellation", "current_schema": "public", "current_catalog": "constellation"}
# A snapshot query is one moment; a view has none, and refuses them by name.
_MOMENTS = frozenset({"now", "clock_timestamp", "statement_timestamp", "transaction_timestamp"})


def answered(name: str, arguments: list[Typed], position: int | None) -> Typed | None:
    """What a call of ``name`` is; None when it is another function."""
    if not arguments and name in _TEXTS:
        return Typed(forms.text(_TEXTS[name]), kinds.TEXT)
    if not arguments and name in _NAMES:
        return of_server(name)
    if not arguments and name in _MOMENTS:  # DataFusion's has nanoseconds
        return Typed(kinds.cast(forms.call("now"), kinds.TIMESTAMPTZ), kinds.TIMESTAMPTZ)
    if len(arguments) == 1 and name == "pg_typeof":
        return _type_of(arguments[0], position)
    if len(arguments) == 2 and name == "age":
        return _age(arguments)
    return None


def of_server(word: str) -> Typed:
    """What a word such as current_schema says; who asks is known only where the query runs."""
    if word in _NAMES:
        return Typed(forms.text(_NAMES[word]), kinds.NAME)
    return Typed(forms.call(f"con_{'session' if word == 'session_user' else 'current'}_user"), kinds.NAME)


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
