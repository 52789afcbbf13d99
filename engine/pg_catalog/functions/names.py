"""Oids as names and names as oids: the casts of regclass, regtype and their like, to_regclass(), format_type()."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from constellationdb.catalog import types
from constellationdb.catalog.model import PUBLIC
from constellationdb.engine.pg_catalog import lookup
from constellationdb.engine.pg_catalog.cluster import roles
from constellationdb.engine.pg_catalog.functions.base import name_parts
from constellationdb.engine.pg_catalog.names import qualified, quoted, relation_name, search_path, type_name
from constellationdb.engine.pg_catalog.objects import Part
from constellationdb.errors import (
    AmbiguousFunction,
    ConstellationError,
    InvalidParameter,
    SqlSyntaxError,
    UndefinedFunction,
    UndefinedObject,
    UndefinedRelation,
    UndefinedSchema,
)

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

_NUMBER = re.compile(r"\d+")
_NONE = "-"
_ARRAY = re.compile(r"(.+?)\s*\[\d*\]")
_MODIFIERS = re.compile(r"(.+?)\s*\([\d\s,]+\)(.*)", re.DOTALL)
Finder = Callable[["Session", str], int]


def _read(session: Session, text: str, find: Finder) -> int:
    """A number stands for itself, whether something has it or not."""
    stripped = text.strip()
    if stripped == _NONE:
        return 0
    return int(stripped) if _NUMBER.fullmatch(stripped) else find(session, stripped)


def reading(find: Finder) -> Callable[[Session, str], int]:
    return lambda session, text: _read(session, text, find)


def finding(find: Finder) -> Callable[[Session, str], int | None]:
    """The same, but NULL for what does not exist."""

    def found(session: Session, text: str) -> int | None:
        try:
            return _read(session, text, find)
        except ConstellationError as error:
            if isinstance(error, InvalidParameter):
                raise
            return None

    return found


def showing(name: Callable[[Session, int], str | None], none: str = _NONE) -> Callable[[Session, int], str]:
    def shown(session: Session, oid: int) -> str:
        return none if oid == 0 else name(session, oid) or str(oid)

    return shown


def _parts(text: str) -> tuple[str | None, str]:
    """(schema, name)."""
    *schema, name = name_parts(text)
    return (schema[-1] if schema else None), name


def namespace(session: Session, name: str) -> int:
    """A schema's oid."""
    oid = session.names.schema(name)
    if oid is not None and (oid in session.objects.namespaces or (name == "pg_temp" and session.temporary.used)):
        return oid
    raise UndefinedSchema(f'schema "{name}" does not exist')


def relation(session: Session, text: str) -> int:
    """The oid of a relation or an index."""
    parts = name_parts(text)
    if len(parts) > 3:
        raise SqlSyntaxError(f"improper relation name (too many dotted names): {'.'.join(parts)}")
    schema, name = _parts(text)
    places = search_path(session) if schema is None else _schemas(session, schema)
    for place in places:
        found = session.objects.by_name.get((place, name))
        if found is not None:
            return found.oid
        if (index := session.objects.indexes_by_name.get((place, name))) is not None:
            return index.oid
    shown = name if schema is None else f"{schema}.{name}"
    raise UndefinedRelation(f'relation "{shown}" does not exist')


def _schemas(session: Session, name: str) -> tuple[int, ...]:
    try:
        return (namespace(session, name),)
    except UndefinedSchema:
        return ()


def data_type(session: Session, text: str) -> int:
    """A type by its SQL name or pg_type's."""
    if array := _ARRAY.fullmatch(text):
        return _array_of(session, data_type(session, array[1]))
    plain = "".join(found.groups()) if (found := _MODIFIERS.fullmatch(text)) else text
    try:
        return types.parse_type(plain).oid
    except ConstellationError:
        return _named_type(session, plain)


def _named_type(session: Session, text: str) -> int:
    schema, name = _parts(text)
    places = search_path(session) if schema is None else _schemas(session, schema)
    for place in places:
        found = lookup.types_by_name().get((place, name))
        if found is not None:
            return int(found["oid"])
        row = session.objects.by_name.get((place, name))
        if row is not None:
            return row.type_oid
        if place == PUBLIC and (oid := _own_type(session, name)) is not None:
            return oid
    raise UndefinedObject(f'type "{text}" does not exist')


def _own_type(session: Session, name: str) -> int | None:
    """A user's type, or the array of one by pg_type's name."""
    for kind in session.catalog.types.values():
        if name in (kind.name, f"_{kind.name}"):
            return kind.oid if name == kind.name else types.array_of(kind.sql_type).oid
    return None


def _array_of(session: Session, element: int) -> int:
    if element in session.catalog.types:
        return types.array_of(session.catalog.types[element].sql_type).oid
    known = lookup.types_by_oid().get(element)
    if known is not None:
        return int(known["typarray"])
    return session.objects.by_oid[element - Part.ROW_TYPE.of(0)].array_type_oid


def routine(session: Session, text: str) -> int:
    _, name = _parts(text)
    found = [int(row["oid"]) for row in lookup.functions_by_name().get(name, ())]
    found += [function.oid for function in session.catalog.functions.values() if function.name == name]
    if not found:
        raise UndefinedFunction(f'function "{text}" does not exist')
    if len(found) > 1:
        raise AmbiguousFunction(f'more than one function named "{text}"')
    return found[0]


def _namespace_named(session: Session, text: str) -> int:
    return namespace(session, _parts(text)[1])


def _role(session: Session, text: str) -> int:
    name = _parts(text)[1]
    for oid, known in roles(session).items():
        if known == name:
            return oid
    raise UndefinedObject(f'role "{name}" does not exist')


def _routine_name(session: Session, oid: int) -> str | None:
    """Qualified where several functions have the name."""
    own = session.catalog.functions.get(oid)
    if own is not None:
        return quoted(own.name)
    found = lookup.functions_by_oid().get(oid)
    if found is None:
        return None
    name = found["proname"]
    return qualified("pg_catalog", name, visible=len(lookup.functions_by_name()[name]) == 1)


def _namespace_name(session: Session, oid: int) -> str | None:
    name = session.objects.namespaces.get(oid)
    return None if name is None else quoted(name)


def _role_name(session: Session, oid: int) -> str | None:
    name = roles(session).get(oid)
    return None if name is None else quoted(name)


def _type_name(session: Session, oid: int) -> str | None:
    shown = type_name(session, oid)
    return None if shown == "???" else shown


def _format_type(session: Session, oid: int | None, typmod: int | None) -> str | None:
    return None if oid is None else type_name(session, oid, typmod)


def each(shown: Callable[[Session, int], str]) -> Callable[[Session, list[int | None]], list[str | None]]:
    return lambda session, oids: [None if oid is None else shown(session, oid) for oid in oids]


_CASTS: dict[str, Callable[..., Any]] = {
    "con_regclass_in": reading(relation),
    "con_regclass_out": showing(lambda session, oid: relation_name(session, oid)),
    "con_regnamespace_in": reading(_namespace_named),
    "con_regnamespace_out": showing(_namespace_name),
    "con_regproc_in": reading(routine),
    "con_regproc_out": showing(_routine_name),
    "con_regrole_in": reading(_role),
    "con_regrole_out": showing(_role_name),
    "con_regtype_in": reading(data_type),
    "con_regtype_out": showing(_type_name),
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    **_CASTS,
    **{name.replace("_out", "_list_out"): each(cast) for name, cast in _CASTS.items() if name.endswith("_out")},
    "format_type": _format_type,
    "to_regclass": finding(relation),
    "to_regnamespace": finding(_namespace_named),
    "to_regproc": finding(routine),
    "to_regrole": finding(_role),
    "to_regtype": finding(data_type),
}
