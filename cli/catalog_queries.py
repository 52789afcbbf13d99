"""What the shell asks a database about itself, in one place.

``constellation.relations`` has each relation with its definition, which the
planner's own parser reads: so keys and dependencies are the same here as there.
Columns, roles, schemas, databases and functions come from ``pg_catalog``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from constellationdb.embedded import Database
from constellationdb.errors import ConstellationError
from constellationdb.planner import statements as st
from constellationdb.planner.prepare import relation_names
from constellationdb.planner.references import reference, split
from constellationdb.planner.syntax import parse
from constellationdb.planner.syntax.edits import identifier

_KIND_LETTERS = {"t": "table", "v": "view", "m": "materialized view", "s": "source", "l": "lookup table"}
_COLUMNS = """
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull,
       pg_catalog.pg_get_expr(d.adbin, d.adrelid)
FROM pg_catalog.pg_attribute a
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = $1::regclass AND a.attnum > 0 ORDER BY a.attnum
"""
_PLACE = """
SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = $1::regclass
"""


@dataclass(frozen=True)
class Entry:
    """A relation and what its definition says."""

    name: str
    kind: str
    rows: int | None
    frontier: int | None
    owner: str | None
    definition: str
    statement: st.Statement | None

    @property
    def reads(self) -> list[str]:
        """The relations that it is computed from."""
        query = getattr(self.statement, "query", None)
        found = [self.owner] if self.owner else []
        return found if query is None or isinstance(self.statement, st.CreateTableAs) else relation_names(query)

    @property
    def key(self) -> tuple[str, ...]:
        return tuple(getattr(self.statement, "primary_key", ()))


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    nullable: bool
    default: str | None


def relations(database: Database) -> list[Entry]:
    rows = database.sql(
        "SELECT name, kind, rows, frontier, owner, definition FROM constellation.relations ORDER BY name"
    ).fetchall()
    return [
        Entry(name, kind, count, frontier, owner, definition, _parsed(definition))
        for name, kind, count, frontier, owner, definition in rows
    ]


def of_kind(entries: Sequence[Entry], letters: str) -> list[Entry]:
    """``letters`` as behind ``\\d``: t, v, m, s(ources), l(ookup tables); none: everything but side outputs."""
    kinds = {_KIND_LETTERS[letter] for letter in letters} or set(_KIND_LETTERS.values())
    return [entry for entry in entries if entry.kind in kinds]


def relation(database: Database, entries: Sequence[Entry], name: str) -> Entry:
    """By its name as SQL says it, in the search path; an error where there is no such relation."""
    ((schema, label),) = database.sql(_PLACE, [name]).fetchall()
    wanted = reference(None if schema == "public" else schema, label)
    for entry in entries:
        if entry.name == wanted:
            return entry
    return Entry(wanted, "system table", None, None, None, "", None)


def columns(database: Database, entry: Entry) -> list[Column]:
    return [
        Column(column, kind, not required, default)
        for column, kind, required, default in database.sql(_COLUMNS, [as_sql(entry.name)]).fetchall()
    ]


def column_names(database: Database, relation: str) -> list[str]:
    return [str(name) for name, *_ in database.sql(_COLUMNS, [as_sql(relation)]).fetchall()]


def as_sql(name: str) -> str:
    """A relation's name as ``constellation.relations`` has it: with its schema, unless that is public."""
    schema, label = split(name)
    return ".".join(identifier(part) for part in (schema or "public", label))


def readers(entries: Sequence[Entry], name: str) -> list[Entry]:
    """The relations that are computed from this one, side outputs excepted."""
    return [entry for entry in entries if name in entry.reads and entry.owner is None]


def side_outputs(entries: Sequence[Entry], name: str) -> list[Entry]:
    return [entry for entry in entries if entry.owner == name]


def settings(database: Database) -> list[str]:
    return [str(name) for name, *_ in database.sql("SHOW ALL").fetchall()]


def functions(database: Database) -> list[tuple[Any, ...]]:
    """(schema, name, result type, argument types)."""
    return database.sql(
        "SELECT n.nspname, p.proname, pg_catalog.pg_get_function_result(p.oid),"
        " pg_catalog.pg_get_function_arguments(p.oid)"
        " FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace ORDER BY 2, 4"
    ).fetchall()


def function_names(database: Database) -> list[str]:
    return _names(database, "SELECT DISTINCT proname FROM pg_catalog.pg_proc")


def schemas(database: Database) -> list[str]:
    return _names(
        database,
        "SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname <> 'information_schema'"
        " AND nspname NOT LIKE 'pg%' ORDER BY 1",
    )


def databases(database: Database) -> list[str]:
    return _names(database, "SELECT datname FROM pg_catalog.pg_database WHERE NOT datistemplate ORDER BY 1")


def roles(database: Database) -> list[str]:
    return _names(database, "SELECT rolname FROM pg_catalog.pg_roles WHERE rolname NOT LIKE 'pg%' ORDER BY 1")


def _names(database: Database, sql: str) -> list[str]:
    return [str(name) for (name,) in database.sql(sql).fetchall()]


def _parsed(definition: str) -> st.Statement | None:
    try:
        return parse(definition)[0] if definition else None
    except ConstellationError:  # of a newer server
        return None
