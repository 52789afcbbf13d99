"""A statement's queries, put in the time zone of the session that runs them."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, TypeVar

from constellationdb.planner import statements as st

AnyStatement = TypeVar("AnyStatement", bound=st.Statement)


def in_zone(statement: AnyStatement, zone: str) -> AnyStatement:
    """``zone``: as SHOW timezone prints it."""
    changed: dict[str, Any] = {}
    for field in fields(statement):
        value = getattr(statement, field.name)
        if isinstance(value, st.Query):
            changed[field.name] = replace(value, zone=zone)
        elif isinstance(value, st.Statement):
            changed[field.name] = in_zone(value, zone)
    return replace(statement, **changed) if changed else statement
