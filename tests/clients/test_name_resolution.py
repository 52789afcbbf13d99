"""Any name under any search path means what it means to Postgres: the same random statements are asked of both."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from tests.clients.conftest import Served

_SCHEMAS = ("one", "two", '"Th ree"')
_NAMES = ("t", "u", "pg_am")
_PLACES = (*_SCHEMAS, "public", "pg_temp", "pg_catalog", "nowhere", '"$user"')
Answer = tuple[object, ...]


def _ask(connection: psycopg.Connection, sql: str) -> Answer:
    try:
        cursor = connection.execute(sql.encode())
        return (cursor.statusmessage, sorted(cursor.fetchall(), key=repr) if cursor.description else None)
    except psycopg.Error:
        return ("error",)  # of two that a statement has, either may be told


def _statements(chance: random.Random) -> Iterator[str]:
    for number in range(90):
        name, (place, other) = chance.choice(_NAMES), chance.sample(_PLACES[:5], 2)
        path = ", ".join(chance.sample(_PLACES, chance.randint(1, 5)))
        match chance.randrange(12):
            case 0 | 1:
                yield f"CREATE TABLE {place}.{name} (v text)"
                yield f"INSERT INTO {place}.{name} VALUES ('{number}')"
            case 2:
                yield f"DROP TABLE {place}.{name} CASCADE"
            case 3:
                yield f"CREATE VIEW v{number} AS SELECT v FROM {name}"
            case 4 | 5:
                yield f"SET search_path = {path}"
            case 6:
                yield "SELECT current_schema(), array_remove(array_remove(current_schemas(true), 'pg_temp'), NULL)[1:0]"
            case 7:
                yield f"SELECT count(*), min(v) FROM {name}"
            case 8:
                yield f"UPDATE {name} SET v = v || '.' RETURNING {name}.v"
            case 9:
                yield f"SELECT {place}.{name}.v FROM {place}.{name}, {other}.{name} WHERE {other}.{name}.v IS NOT NULL"
            case 10:
                yield f"SELECT (SELECT max({other}.t.v) FROM {other}.t WHERE t.v <> {place}.u.v) FROM {place}.u"
            case _:
                yield f"SELECT to_regclass('{name}')::text LIKE 'pg_temp%', to_regclass('{other}.{name}')"
        yield "SELECT c.relname, n.nspname LIKE 'pg_temp%' OR n.nspname IS NULL, pg_table_is_visible(c.oid)" + (
            " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relname IN ('t', 'u') AND c.relkind = 'r' ORDER BY 1, 2, n.nspname"
        )


@pytest.mark.parametrize("seed", range(3))
def test_names_mean_the_same(served: Served, oracle: Served, seed: int) -> None:
    asked = answered = 0
    with (
        closing(psycopg.connect(served.dsn, autocommit=True)) as ours,
        closing(psycopg.connect(oracle.dsn, autocommit=True)) as theirs,
    ):
        for connection in (ours, theirs):
            connection.execute("".join(f"CREATE SCHEMA {schema};" for schema in _SCHEMAS))
        try:
            for sql in _statements(random.Random(seed)):
                said = _ask(theirs, sql)
                assert _ask(ours, sql) == said, sql
                asked += 1
                answered += bool(said[-1]) and "relname" not in sql and isinstance(said[-1], list)
        finally:
            for connection in (ours, theirs):
                connection.execute("RESET search_path")
                connection.execute(f"DROP SCHEMA {', '.join(_SCHEMAS)} CASCADE")
                connection.execute("DROP TABLE IF EXISTS public.t, public.u, public.pg_am CASCADE")
    assert asked > 150
    assert answered > 10
