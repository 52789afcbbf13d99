"""Writes ``catalog/postgres/*.csv``, what a fresh Postgres 15 says of itself: ``python -m tests.catalog_data DSN``.

The functions listed are those that are there: each is planned here with NULLs of its argument types. Others stay
only where a type, an operator, a cast or an aggregate refers to them.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psycopg

import constellationdb.catalog.postgres
from constellationdb.engine.engine import Engine
from constellationdb.engine.pg_catalog.set_functions import set_functions
from constellationdb.engine.session import Session
from constellationdb.errors import ConstellationError

FOLDER = Path(constellationdb.catalog.postgres.__file__).parent
_OURS = 16384  # the first oid of what a user makes

_SHAPES = {
    "relations": f"""
        SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind, c.reltype AS type
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.oid < {_OURS} AND c.relkind IN ('r', 'v') ORDER BY n.nspname DESC, c.relname""",
    "columns": f"""
        SELECT a.attrelid AS relation, a.attname AS name, a.atttypid::oid AS type, a.atttypmod AS typmod,
               a.attnotnull AS not_null, a.attcollation::oid AS collation
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.oid < {_OURS} AND c.relkind IN ('r', 'v') AND a.attnum > 0 ORDER BY a.attrelid, a.attnum""",
    "indexes": f"""
        SELECT i.indexrelid AS oid, c.relname AS name, i.indrelid AS relation, i.indisunique AS is_unique,
               i.indisprimary AS is_primary, i.indkey AS keys, i.indclass AS classes,
               coalesce((SELECT k.oid FROM pg_constraint k WHERE k.conindid = i.indexrelid), 0) AS constraint
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE i.indexrelid < {_OURS} AND n.nspname = 'pg_catalog' ORDER BY c.relname""",
}
# Relations that ship with their rows; of the others the columns are known and the rows are made, or there are none.
_WHOLE = (
    "pg_namespace", "pg_type", "pg_operator", "pg_cast", "pg_am", "pg_language", "pg_opclass", "pg_opfamily",
    "pg_range", "pg_aggregate", "pg_tablespace", "pg_authid", "pg_auth_members", "pg_collation", "pg_proc",
    "pg_description",
    "pg_shdescription", "pg_amop", "pg_amproc",
)  # fmt: skip
_WHERE = {
    "pg_namespace": f"oid < {_OURS} AND nspname <> 'public'",
    "pg_language": "lanname <> 'plpgsql'",
    "pg_collation": "collprovider <> 'i'",
    "pg_authid": "oid <> 10",
    "pg_proc": "oid = ANY(%(functions)s)",
    "pg_aggregate": "aggfnoid = ANY(%(functions)s)",
    "pg_description": f"""objoid < {_OURS} AND objoid <> 'public'::regnamespace AND classoid IN
        ('pg_type'::regclass, 'pg_operator'::regclass, 'pg_proc'::regclass, 'pg_am'::regclass,
         'pg_language'::regclass, 'pg_collation'::regclass, 'pg_namespace'::regclass)
        AND (classoid <> 'pg_proc'::regclass OR objoid = ANY(%(functions)s))""",
}
_REFERRED = """
    SELECT typinput::oid FROM pg_type UNION SELECT typoutput FROM pg_type UNION SELECT typreceive FROM pg_type
    UNION SELECT typsend FROM pg_type UNION SELECT typmodin FROM pg_type UNION SELECT typmodout FROM pg_type
    UNION SELECT typanalyze FROM pg_type UNION SELECT typsubscript FROM pg_type
    UNION SELECT oprcode FROM pg_operator UNION SELECT castfunc FROM pg_cast
    UNION SELECT amhandler FROM pg_am UNION SELECT rngcanonical FROM pg_range UNION SELECT rngsubdiff FROM pg_range
    UNION SELECT amproc FROM pg_amproc
    UNION SELECT lanvalidator FROM pg_language WHERE lanname <> 'plpgsql'"""


def write(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as postgres:
        postgres.execute("SET search_path = pg_catalog")
        functions = {oid for (oid,) in postgres.execute(_REFERRED)} | set(_there(postgres))
        for name, query in _SHAPES.items():
            _save(name, postgres.execute(query))
        _save("pg_get_keywords", postgres.execute("SELECT * FROM pg_get_keywords()"))
        for name in _WHOLE:
            query = f"SELECT {_listed(postgres, name)} FROM pg_catalog.{name} WHERE {_WHERE.get(name, 'true')}"
            _save(name, postgres.execute(f"{query} ORDER BY 1, 2", {"functions": sorted(functions)}))


def _listed(postgres: psycopg.Connection[Any], name: str) -> str:
    """The columns as text that holds oids, not names; no privileges, for there are none."""
    found = postgres.execute(
        "SELECT attname, atttypid::regtype::text FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum",
        (name,),
    )
    return ", ".join(_column(column, kind) for column, kind in found)


def _column(name: str, kind: str) -> str:
    if name == "proargdefaults":
        return f'pg_get_expr("{name}", 0) AS "{name}"'
    if kind == "aclitem[]":
        return f'NULL AS "{name}"'
    return f'"{name}"::oid::text' if kind.startswith("reg") else f'"{name}"::text'


def _save(name: str, rows: psycopg.Cursor[Any]) -> None:
    assert rows.description is not None
    with (FOLDER / f"{name}.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(column.name for column in rows.description)
        for row in rows:
            writer.writerow(_written(row))


def _written(row: Iterable[Any]) -> list[str]:
    return ["\\N" if v is None else {True: "t", False: "f"}[v] if isinstance(v, bool) else str(v) for v in row]


def _there(postgres: psycopg.Connection[Any]) -> Iterable[int]:
    query = """
        SELECT oid, proname, ARRAY(SELECT format_type(t, NULL) FROM unnest(proargtypes) t), prokind FROM pg_proc
        WHERE prokind IN ('f', 'a', 'w') AND prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
        ORDER BY oid"""
    with Engine() as engine:
        session = engine.session()
        for oid, name, arguments, kind in postgres.execute(query).fetchall():
            if _plans(session, name, arguments, kind):
                yield oid


def _plans(session: Session, name: str, arguments: list[str], kind: str) -> bool:
    if any(argument in ("internal", "cstring") for argument in arguments):
        return False
    if f"pg_catalog.{name}()" in set_functions():
        return not arguments
    star = kind == "a" and not arguments
    listed = "*" if star else ", ".join(f"NULL::{_concrete(argument)}" for argument in arguments)
    try:
        session.prepare(f'SELECT "{name}"({listed}){" OVER ()" if kind == "w" else ""}')
    except ConstellationError:
        return False
    return True


def _concrete(argument: str) -> str:
    return {"anyarray": "text[]", "anycompatiblearray": "text[]", '"any"': "text"}.get(
        argument, "text" if argument.startswith("any") else argument
    )


if __name__ == "__main__":
    write(sys.argv[1])
