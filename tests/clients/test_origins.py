"""Which table and column a result's column is: RowDescription says the same as a real Postgres."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.clients.conftest import Served
from tests.postgres_fixture import start_postgres

_SETUP = """
    CREATE TABLE origin_t (a int PRIMARY KEY, b text);
    CREATE TABLE origin_u (a int, c text);
    CREATE VIEW origin_v AS SELECT a AS x, b FROM origin_t
"""
_QUERIES = (
    "SELECT a, b, a + 1 FROM origin_t",
    "SELECT * FROM origin_t",
    "SELECT t.*, u.c FROM origin_t t JOIN origin_u AS u ON t.a = u.a",
    "SELECT * FROM origin_v",
    "SELECT x AS y FROM origin_v",
    "SELECT q.z FROM (SELECT a AS z FROM origin_t) q",
    "WITH w AS (SELECT b FROM origin_t) SELECT * FROM w",
    "SELECT a FROM origin_t UNION SELECT a FROM origin_u",
    "SELECT count(*), b FROM origin_t GROUP BY b",
    "SELECT w.k FROM origin_t AS w (k, l)",
    "SELECT public.origin_t.a FROM public.origin_t",
    "SELECT a.a, b.a FROM origin_t a, origin_t b",
    "SELECT relname, oid FROM pg_class LIMIT 1",
    "SELECT table_name FROM information_schema.tables LIMIT 1",
    "SELECT 1",
)


def origins(connection: psycopg.Connection[Any], query: str, *, prepare: bool) -> list[tuple[object, int]]:
    names = dict(connection.execute("SELECT oid, relname FROM pg_class").fetchall())
    result = connection.execute(query.encode(), prepare=prepare).pgresult
    assert result is not None
    return [(names.get(result.ftable(i), 0), result.ftablecol(i)) for i in range(result.nfields)]


@pytest.mark.parametrize("prepare", [False, True])
def test_origins_are_those_of_postgres(served: Served, prepare: bool) -> None:
    with (
        start_postgres() as dsn,
        psycopg.connect(dsn, autocommit=True) as postgres,
        psycopg.connect(served.dsn, autocommit=True) as ours,
    ):
        postgres.execute(_SETUP)
        ours.execute(_SETUP)
        for query in _QUERIES:
            assert origins(ours, query, prepare=prepare) == origins(postgres, query, prepare=prepare), query
        ours.execute("DROP VIEW origin_v; DROP TABLE origin_t, origin_u")
