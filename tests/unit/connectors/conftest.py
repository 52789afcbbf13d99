"""The table of ``lookup_cases`` in every shape a lookup can have it."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pyarrow as pa
import pytest

from constellationdb.connectors.postgres_lookup import PostgresLookup, open_postgres
from tests.unit.connectors import lookup_cases as cases

_DDL = """
CREATE SCHEMA IF NOT EXISTS "my ""schema%";
DROP TABLE IF EXISTS "my ""schema%"."parts $1";
CREATE TABLE "my ""schema%"."parts $1" (
    id integer, part varchar(10), qty smallint, price numeric, ratio float8, name text, open bool, since timestamp,
    extra text DEFAULT 'never asked for', PRIMARY KEY (id, part)
)
"""
OPTIONS = {"schema": 'my "schema%', "table": "parts $1"}


@pytest.fixture(scope="session")
def parts_dsn(postgres: str) -> str:
    """A Postgres that holds the table, with types of its own: integer, varchar, smallint, plain numeric."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(_DDL)
        names = ", ".join(cases.SCHEMA.names)
        places = ", ".join(["%s"] * len(cases.SCHEMA))
        with connection.cursor() as cursor:
            cursor.executemany(
                f'INSERT INTO "my ""schema%%"."parts $1" ({names}) VALUES ({places})',
                [tuple(row.values()) for row in cases.table().to_pylist()],
            )
    return postgres


@pytest.fixture
def parts(parts_dsn: str) -> Iterator[PostgresLookup]:
    lookup = open_postgres(cases.SCHEMA, ["id", "part"], {"dsn": parts_dsn, **OPTIONS, "max_keys": "7"})
    yield lookup
    lookup.close()


@pytest.fixture(scope="session")
def case_table() -> pa.Table:
    return cases.table()
