"""Functions' definitions: pg_get_functiondef(), pg_get_function_arguments(), …"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from constellationdb.catalog.model import PUBLIC
from constellationdb.catalog.postgres import rows
from constellationdb.engine.pg_catalog import lookup
from constellationdb.engine.pg_catalog.names import quoted, type_name
from constellationdb.engine.pg_catalog.routines import arguments_of
from constellationdb.engine.pg_catalog.user_functions import PYTHON, find
from constellationdb.errors import WrongObjectType

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

_VOLATILITY = {"i": " IMMUTABLE", "s": " STABLE", "v": ""}
_PARALLEL = {"s": " PARALLEL SAFE", "r": " PARALLEL RESTRICTED", "u": ""}
_IN_MODES, _MODES = "ibv", {"o": "OUT ", "b": "INOUT ", "v": "VARIADIC "}
_NULL = "\\N"


def _listed(session: Session, oid: int, modes: str, defaults: bool) -> str | None:
    found = find(session.catalog, oid)
    if found is None:
        return None
    taken = [argument for argument in arguments_of(found) if argument[1] in modes]
    optional = _defaults(found) if defaults else []
    inputs = [argument for argument in taken if argument[1] in _IN_MODES]
    first = len(inputs) - len(optional)
    parts = []
    for name, mode, kind in taken:
        shown = f"{_MODES.get(mode, '')}{quoted(name) + ' ' if name else ''}{type_name(session, kind)}"
        place = inputs.index((name, mode, kind)) if (name, mode, kind) in inputs else -1
        parts.append(f"{shown} DEFAULT {optional[place - first]}" if optional and place >= first else shown)
    return ", ".join(parts)


def _defaults(found: lookup.Texts) -> list[str]:
    """What the last arguments are when they are left out."""
    return [] if found["proargdefaults"] == _NULL else found["proargdefaults"].split(", ")


def _arguments(session: Session, oid: int) -> str | None:
    return _listed(session, oid, "iobv", defaults=True)


def _identity(session: Session, oid: int) -> str | None:
    return _listed(session, oid, "iobv", defaults=False)


def _result(session: Session, oid: int) -> str | None:
    found = find(session.catalog, oid)
    if found is None or found["prokind"] == "p":
        return None
    columns = [(name, kind) for name, mode, kind in arguments_of(found) if mode == "t"]
    if columns:
        shown = (f"{quoted(name)} {type_name(session, kind)}" for name, kind in columns)
        return f"TABLE({', '.join(shown)})"
    kind = type_name(session, int(found["prorettype"]))
    return f"SETOF {kind}" if rows.truth(found["proretset"]) else kind


def _definition(session: Session, oid: int) -> str | None:
    found = find(session.catalog, oid)
    if found is None:
        return None
    if found["prokind"] == "a":
        raise WrongObjectType(f'"{found["proname"]}" is an aggregate function')
    languages = {row["oid"]: row["lanname"] for row in rows.texts("pg_language")} | {str(PYTHON): "python"}
    schema = "public" if found["pronamespace"] == str(PUBLIC) else "pg_catalog"
    strict = " STRICT" if rows.truth(found["proisstrict"]) else ""
    kind = " WINDOW" if found["prokind"] == "w" else ""
    leak = " LEAKPROOF" if rows.truth(found["proleakproof"]) else ""
    settings = f"{kind}{_VOLATILITY[found['provolatile']]}{_PARALLEL[found['proparallel']]}{strict}{leak}"
    settings = f"{settings}\n" if settings else ""
    body = f"$function${found['prosrc']}$function$"
    return (
        f"CREATE OR REPLACE FUNCTION {schema}.{quoted(found['proname'])}({_arguments(session, oid)})\n"
        f" RETURNS {_result(session, oid)}\n LANGUAGE {languages[found['prolang']]}\n{settings}AS {body}\n"
    )


def _default(session: Session, oid: int, number: int) -> str | None:
    found = find(session.catalog, oid)
    if found is None:
        return None
    optional = _defaults(found)
    place = number - 1 - (int(found["pronargs"]) - len(optional))
    return optional[place] if 0 <= place < len(optional) else None


def _no_body(session: Session, oid: int) -> None:
    """No function has a body in SQL."""


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "pg_get_function_arg_default": _default,
    "pg_get_function_arguments": _arguments,
    "pg_get_function_identity_arguments": _identity,
    "pg_get_function_result": _result,
    "pg_get_function_sqlbody": _no_body,
    "pg_get_functiondef": _definition,
}
