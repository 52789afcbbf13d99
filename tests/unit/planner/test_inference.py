"""Types of parameters: each statement of ``parameter_statements.sql`` is described here as a real Postgres does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from psycopg.pq import DiagnosticField as Field
from psycopg.pq import ExecStatus

from constellationdb.catalog import types
from constellationdb.errors import ConstellationError
from constellationdb.planner import statements
from constellationdb.planner.inference import infer_parameters
from constellationdb.planner.inference.functions import FUNCTIONS
from constellationdb.planner.inference.operators import OPERATORS
from constellationdb.planner.inference.signatures import Signature
from constellationdb.planner.postgres_types import display
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.syntax import parse
from tests.postgres_fixture import start_postgres

Connection = psycopg.Connection[Any]
STATEMENTS = (Path(__file__).parent / "parameter_statements.sql").read_text().splitlines()
VIEW = "SELECT a, c || 'x' AS s2, count(*) AS k FROM t GROUP BY a, c"
SCHEMA = f"""
CREATE TABLE t (a int PRIMARY KEY, i bigint, b double precision, c text, d timestamp, e boolean, n numeric(10,2),
    v varchar(10), da date, ti time, tz timestamptz, iv interval, r real, s smallint, by bytea, ar int[], uu uuid,
    js jsonb);
CREATE TABLE u (a int, x bigint, y text);
CREATE VIEW w AS {VIEW};
"""
# What Postgres refuses for reasons of its own, which here the planner finds when it describes the statement.
LEFT_TO_THE_PLANNER = {
    "SELECT ARRAY[[$1], [1.5]]",
    "SELECT CASE $1 WHEN 1 THEN 2 END",
    "INSERT INTO t (a) SELECT $1 UNION SELECT $2",
    "SELECT a FROM t WHERE a = $1 AND c = $1",
    "SELECT int4($1), text(5) || $2",
    "SELECT (SELECT $1) + 1",
}
TYPES = {
    "a": types.INTEGER, "i": types.BIGINT, "b": types.DOUBLE, "c": types.TEXT, "d": types.TIMESTAMP,
    "e": types.BOOLEAN, "n": types.numeric(10, 2), "v": types.VARCHAR, "da": types.DATE, "ti": types.TIME,
    "tz": types.TIMESTAMPTZ, "iv": types.INTERVAL, "r": types.REAL, "s": types.SMALLINT, "by": types.BYTEA,
    "ar": types.array_of(types.INTEGER), "uu": types.UUID, "js": types.JSONB,
}  # fmt: skip
RELATIONS = {
    "t": PlannedRelation("t", "table", pa.schema([types.field_of(name, kind) for name, kind in TYPES.items()])),
    "u": PlannedRelation("u", "table", pa.schema([("a", pa.int32()), ("x", pa.int64()), ("y", pa.string())])),
    "w": PlannedRelation("w", "view", pa.schema([]), query=statements.Query(VIEW)),
}


@pytest.fixture(scope="module")
def postgres() -> Iterator[Connection]:
    with start_postgres() as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SCHEMA.encode())
        yield connection


def described(connection: Connection, sql: str) -> tuple[object, ...]:
    """The oids of a statement's parameters, or the error it deserves, by a real Postgres."""
    result = connection.pgconn.prepare(b"", sql.encode())
    if result.status == ExecStatus.COMMAND_OK:
        description = connection.pgconn.describe_prepared(b"")
        return tuple(description.param_type(i) for i in range(description.nparams))
    fields = (Field.SQLSTATE, Field.MESSAGE_PRIMARY, Field.MESSAGE_DETAIL, Field.STATEMENT_POSITION)
    return tuple((result.error_field(field) or b"").decode() for field in fields)


def inferred(sql: str, given: tuple[int, ...] = ()) -> object:
    try:
        return infer_parameters(parse(sql)[0], RELATIONS, given)
    except ConstellationError as error:
        return (error.sqlstate, error.message, error.detail or "", str(error.position or ""))


@pytest.mark.parametrize("sql", [sql for sql in STATEMENTS if sql not in LEFT_TO_THE_PLANNER])
def test_a_statement_is_described_as_postgres_does(postgres: Connection, sql: str) -> None:
    assert inferred(sql) == described(postgres, sql)


@pytest.mark.parametrize("sql", sorted(LEFT_TO_THE_PLANNER))
def test_what_is_left_to_the_planner_is_an_error_in_postgres(postgres: Connection, sql: str) -> None:
    assert isinstance(described(postgres, sql)[0], str)


def test_a_given_oid_is_kept() -> None:
    assert inferred("SELECT $1 + 1, $2 FROM t WHERE c = $3", (20, 0, 1043)) == (20, 25, 1043)


def test_a_given_type_that_is_not_known_here_decides_nothing() -> None:
    assert inferred("SELECT a FROM t WHERE a = $1 AND i = $2", (869,)) == (869, 20)


def test_what_is_not_known_here_leaves_a_parameter_a_text() -> None:
    assert inferred("SELECT nobody_knows($1)") == (25,)


def test_windows_have_their_columns() -> None:
    sql = "SELECT a FROM TUMBLE(t, d, INTERVAL '1 minute') w WHERE window_start > $1"
    assert inferred(sql) == (1114,)


def test_a_statement_without_parameters_takes_none() -> None:
    assert inferred("CREATE TABLE x (a int DEFAULT $1)") == ("42P02", "there is no parameter $1", "", "31")


def test_operators_are_those_of_postgres(postgres: Connection) -> None:
    rows = postgres.execute(
        "SELECT oprname, oprleft::regtype::text, oprright::regtype::text, oprresult::regtype::text FROM pg_operator"
    )
    there = {(name, *(part for part in (left, right) if part != "-"), result) for name, left, right, result in rows}
    assert _listed(OPERATORS) <= there


def test_functions_are_those_of_postgres(postgres: Connection) -> None:
    rows = postgres.execute(
        "SELECT proname, ARRAY(SELECT t::regtype::text FROM unnest(proargtypes) t), pronargdefaults,"
        " prorettype::regtype::text, provariadic FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace"
    )
    there = set()
    for name, kinds, defaults, result, variadic in rows:
        named = [kind.replace('"any"', "any") for kind in kinds]
        if variadic:
            named[-1] = named[-1].removesuffix("[]")
        there |= {(name, *named[: len(named) - n], result) for n in range(defaults + 1)}
    assert _listed(FUNCTIONS) <= there


def _listed(signatures: Mapping[str, tuple[Signature, ...]]) -> set[tuple[str, ...]]:
    return {
        (name, *map(display, signature.arguments), display(signature.result))
        for name, several in signatures.items()
        for signature in several
    }


def test_a_statement_that_names_no_parameter_keeps_the_given_ones() -> None:
    assert inferred("SELECT a FROM t", (20,)) == (20,)
    assert inferred("SELECT a FROM t", (0,)) == ("42P18", "could not determine data type of parameter $1", "", "")


def test_more_values_than_columns() -> None:
    refused = ("42601", "INSERT has more expressions than target columns")
    assert inferred("INSERT INTO t (a) VALUES ($1, $2)", (20,)) == (*refused, "", "31")
