"""Names as Postgres prints them: quoted where they must be, qualified where they are not in sight."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from constellationdb.catalog.postgres import rows
from constellationdb.engine.pg_catalog import lookup
from constellationdb.engine.pg_catalog.objects import PG_CATALOG, Index, Part

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

_PLAIN_STORAGE = "p"
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
# What format_type() prints for types whose SQL name is another than pg_type's.
_SQL_NAMES = {
    "bool": "boolean", "int8": "bigint", "int2": "smallint", "int4": "integer", "float4": "real",
    "float8": "double precision", "varchar": "character varying", "bpchar": "character", "char": '"char"',
    "varbit": "bit varying", "timestamp": "timestamp without time zone", "timestamptz": "timestamp with time zone",
    "time": "time without time zone", "timetz": "time with time zone", "interval": "interval", "bit": "bit",
    "numeric": "numeric",
}  # fmt: skip
# Those of which the SQL name alone would be a type of length one.
_UNBOUNDED = {"bpchar": "bpchar", "bit": '"bit"'}
_MOMENTS = {"timestamp": "timestamp", "timestamptz": "timestamp", "time": "time", "timetz": "time"}


@cache
def _reserved() -> frozenset[str]:
    return frozenset(row["word"] for row in rows.texts("pg_get_keywords") if row["catcode"] != "U")


def quoted(name: str) -> str:
    """quote_ident()."""
    if _PLAIN.fullmatch(name) and name not in _reserved():
        return name
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """quote_literal()."""
    doubled = text.replace("'", "''")
    return f"E'{doubled}'".replace("\\", "\\\\") if "\\" in text else f"'{doubled}'"


def qualified(schema: str, name: str, *, visible: bool) -> str:
    return quoted(name) if visible else f"{quoted(schema)}.{quoted(name)}"


def search_path(session: Session) -> tuple[int, ...]:
    """The schemas in which a name alone finds a relation, in this order."""
    return session.names.path.searched


def is_visible(session: Session, namespace: int, name: str) -> bool:
    """Whether a relation is the one that its name alone finds."""
    known = session.objects.by_name
    return next((place for place in search_path(session) if (place, name) in known), None) == namespace


def is_index_visible(session: Session, index: Index) -> bool:
    """Indexes share their names with relations."""
    objects = session.objects
    for place in search_path(session):
        if (place, index.name) in objects.by_name or (place, index.name) in objects.indexes_by_name:
            return place == index.of.namespace
    return False


def relation_name(session: Session, oid: int) -> str | None:
    """What ``oid::regclass`` prints."""
    relation = session.objects.by_oid.get(oid)
    if relation is not None:
        visible = is_visible(session, relation.namespace, relation.name)
        return qualified(relation.schema, relation.name, visible=visible)
    index = session.objects.indexes.get(oid)
    if index is None:
        return None
    return qualified(index.of.schema, index.name, visible=is_index_visible(session, index))


def type_name(session: Session, oid: int, typmod: int | None = None) -> str:
    """format_type()."""
    if oid == 0:
        return "-"
    kind = lookup.types_by_oid().get(oid)
    if kind is None:
        return session.objects.type_names.get(oid) or _row_type_name(session, oid)
    if lookup.is_array(kind) and kind["typstorage"] != _PLAIN_STORAGE:  # a vector is called by its own name
        return f"{type_name(session, int(kind['typelem']), typmod)}[]"
    name, namespace = kind["typname"], int(kind["typnamespace"])
    if name in _UNBOUNDED and typmod is None:
        return _SQL_NAMES[name]
    if namespace == PG_CATALOG and (name in _SQL_NAMES or typmod not in (None, -1)):
        return _modified(name, -1 if typmod is None else typmod)
    return qualified(lookup.namespaces()[namespace], name, visible=namespace in search_path(session))


def _row_type_name(session: Session, oid: int) -> str:
    for part, suffix in ((Part.ROW_TYPE, ""), (Part.ARRAY_TYPE, "[]")):
        relation = session.objects.by_oid.get(oid - part.of(0))
        if relation is not None:
            visible = is_visible(session, relation.namespace, relation.name)
            return qualified(relation.schema, relation.name, visible=visible) + suffix
    return "???"


def _modified(name: str, typmod: int) -> str:
    shown = _SQL_NAMES.get(name, quoted(name))
    if typmod == -1:
        return _UNBOUNDED.get(name, shown)
    if name in ("varchar", "bpchar"):
        return f"{shown}({typmod - 4})"
    if name == "numeric":
        scale = ((typmod - 4) & 0x7FF ^ 1024) - 1024
        return f"numeric({(typmod - 4) >> 16 & 0xFFFF},{scale})"
    if name in _MOMENTS:
        return f"{_MOMENTS[name]}({typmod}) {shown.split(' ', 1)[1]}"
    return f"{shown}({typmod})" if name in ("bit", "varbit") else shown


def plain_type_name(name: str) -> str:
    """A type of pg_catalog without modifiers, as SQL spells it."""
    return _SQL_NAMES.get(name, name)
