"""Operators and functions as oids, by name and types of arguments: ``=(integer,bigint)``, ``lower(text)``."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from constellationdb.catalog.postgres import rows
from constellationdb.engine.pg_catalog import lookup
from constellationdb.engine.pg_catalog.functions.base import name_parts
from constellationdb.engine.pg_catalog.functions.names import data_type, each, finding, reading, showing
from constellationdb.engine.pg_catalog.names import quoted, type_name
from constellationdb.engine.pg_catalog.user_functions import find, oids_of
from constellationdb.errors import InvalidParameter, InvalidTextRepresentation, UndefinedFunction

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

_NONE = "none"  # the argument that a prefix operator does not have
_SIGNATURE = re.compile(r"\s*(?:pg_catalog\s*\.\s*)?(.+?)\s*\(([^()]*(?:\([^()]*\)[^()]*)*)\)\s*", re.DOTALL)


@cache
def _operators() -> dict[int, lookup.Texts]:
    return {int(row["oid"]): row for row in rows.texts("pg_operator")}


@cache
def _operators_by_signature() -> dict[tuple[str, int, int], int]:
    return {(row["oprname"], int(row["oprleft"]), int(row["oprright"])): oid for oid, row in _operators().items()}


def operator(session: Session, text: str) -> int:
    """The oid of the operator that ``name(left,right)`` is."""
    name, arguments = _read(text)
    if len(arguments) != 2:
        what = "missing argument" if len(arguments) < 2 else "too many arguments"
        raise InvalidParameter(what, hint="Provide two argument types for operator." if len(arguments) > 2 else None)
    left, right = (0 if part.lower() == _NONE else data_type(session, part) for part in arguments)
    found = _operators_by_signature().get((name, left, right))
    if found is None:
        raise UndefinedFunction(f"operator does not exist: {text}")
    return found


def operator_name(session: Session, oid: int) -> str | None:
    found = _operators().get(oid)
    if found is None:
        return None
    sides = (int(found["oprleft"]), int(found["oprright"]))
    return f"{found['oprname']}({','.join(type_name(session, side) if side else 'NONE' for side in sides)})"


def procedure(session: Session, text: str) -> int:
    """The oid of the function that ``name(types)`` is."""
    said, arguments = _read(text)
    name = name_parts(said)[-1]
    types = [data_type(session, argument) for argument in arguments]
    for row in lookup.functions_by_name().get(name, ()):
        if [int(oid) for oid in row["proargtypes"].split()] == types:
            return int(row["oid"])
    for function in session.catalog.functions.values():
        if function.name == name and oids_of(function) == types:
            return function.oid
    raise UndefinedFunction(f'function "{text}" does not exist')


def procedure_name(session: Session, oid: int) -> str | None:
    found = find(session.catalog, oid)
    if found is None:
        return None
    arguments = (type_name(session, int(argument)) for argument in found["proargtypes"].split())
    return f"{quoted(found['proname'])}({','.join(arguments)})"


def _read(text: str) -> tuple[str, list[str]]:
    """(name, types)."""
    read = _SIGNATURE.fullmatch(text)
    if read is None:
        what = "expected a left parenthesis" if "(" not in text else "expected a right parenthesis"
        raise InvalidTextRepresentation(what)
    listed = read[2].strip()
    return read[1], [part.strip() for part in re.split(r",(?![^()]*\))", listed)] if listed else []


_OUT = {
    "con_regoperator_out": showing(operator_name, "0"),
    "con_regprocedure_out": showing(procedure_name),
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    **_OUT,
    **{name.replace("_out", "_list_out"): each(shown) for name, shown in _OUT.items()},
    "con_regoperator_in": reading(operator),
    "con_regprocedure_in": reading(procedure),
    "to_regoperator": finding(operator),
    "to_regprocedure": finding(procedure),
}
