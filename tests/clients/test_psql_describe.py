"""psql's backslash commands: each ends well and shows what it must."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import pytest

from constellationdb.engine.engine import Engine
from constellationdb.server.listener import Server
from tests.clients.catalog_corpus import SCHEMA
from tests.postgres_fixture import postgres_program

_INSTALLED = shutil.which("psql")
_PROGRAMS = [str(postgres_program("psql")), *([_INSTALLED] if _INSTALLED else [])]
_STREAMING = """
CREATE SOURCE pushed (id int, at timestamp, WATERMARK FOR at AS at - INTERVAL '1 second');
CREATE SOURCE polled WITH (connector = 'generator', preset = 'market', seed = '7', "limit" = '10');
CREATE LOOKUP TABLE kind (kind text PRIMARY KEY, label text) WITH (connector = 'inline', rows = '[["a", "first"]]');
"""
# What each command's output must contain.
_COMMANDS: dict[str, tuple[str, ...]] = {
    r"\d": (
        "public | customer           | table",
        "public | rich               | view",
        "materialized view",
        "foreign table",
    ),
    r"\d customer": (
        'Table "public.customer"',
        "balance | numeric(12,2) |           | not null | 0",
        "since   | date          |           |          | '2024-01-01'::date",
        '"customer_pkey" PRIMARY KEY, btree (id)',
    ),
    r"\d line": (
        "character varying(40)",
        "timestamp with time zone",
        '"line_pkey" PRIMARY KEY, btree (order_id, number)',
    ),
    r"\d+ customer": ("Storage", "extended", "Access method: heap"),
    r"\d rich": ('View "public.rich"', "name   | text"),
    r"\d+ rich": ("View definition:", "SELECT id, name FROM customer WHERE balance > 100;"),
    r"\d per_product": ('Materialized view "public.per_product"', "lines    | bigint"),
    r"\d+ per_product": ("View definition:", "GROUP BY order_id;"),
    r"\d customer_pkey": ('Index "public.customer_pkey"', 'primary key, btree, for table "public.customer"'),
    r"\d pushed": ('Table "public.pushed"', "at     | timestamp without time zone"),
    r"\d polled": ('Foreign table "public.polled"', "Server: generator"),
    r"\d kind": ('Foreign table "public.kind"', "Server: inline"),
    r"\d pg_class": (
        'Table "pg_catalog.pg_class"',
        'relkind             | "char"',
        '"pg_class_oid_index" PRIMARY KEY, btree (oid)',
    ),
    r"\d constellation.jobs": ('View "constellation.jobs"', "rows_late"),
    r"\dt": ("customer", "line", "note", "pushed"),
    r"\dt+": ("customer", "heap"),
    r"\dv": ("rich",),
    r"\dv+": ("rich",),
    r"\dm": ("per_product",),
    r"\dm+": ("per_product",),
    r"\di": ("customer_pkey", "line_pkey"),
    r"\di+": ("customer_pkey", "btree"),
    r"\ds": (),
    r"\dE": ("kind", "polled"),
    r"\dn": ("public", "constellation"),
    r"\dn+": ("standard public schema",),
    r"\df": ("(0 rows)",),
    r"\df upper": ("pg_catalog | upper | text",),
    r"\df+ upper": ("uppercase", "immutable"),
    r"\da sum": ("pg_catalog | sum  | bigint           | integer",),
    r"\du": ("constellation",),
    r"\du+": ("Superuser",),
    r"\dg": ("constellation",),
    r"\dT": ("(0 rows)",),
    r"\dTS int4": ("-2 billion to 2 billion integer, 4-byte storage",),
    r"\dC": ("bigint", "integer", "in assignment"),
    r"\dx": ("(0 rows)",),
    r"\l": ("constellation", "UTF8"),
    r"\l+": ("pg_default",),
    r"\dp": ("customer", "per_product"),
    r"\z customer": ("customer",),
    r"\db": ("pg_default", "pg_global"),
    r"\db+": ("pg_default",),
    r"\dd": (),
    r"\dD": ("(0 rows)",),
    r"\do =": ("boolean",),
    r"\doS =": ("boolean",),
    r"\dO": (),
    r"\dL": (),
    r"\dA": ("heap", "btree"),
    r"\dc": (),
    r"\dF": (),
    r"\dy": (),
    r"\dRp": (),
    r"\dRs": (),
    r"\des": ("inline", "generator"),
    r"\dew": ("constellation",),
    r"\det": ("kind", "inline"),
    r"\deu": (),
    r"\drds": (),
    r"\ddp": (),
    r"\dP": (),
    r"\dX": (),
    r"\dconfig": (),
    r"\dS pg_am": ('Table "pg_catalog.pg_am"',),
    r"\dt public.*": ("customer",),
    r"\dt *.*": ("pg_class", "customer"),
    r"\sv rich": ("CREATE OR REPLACE VIEW public.rich AS", "SELECT id, name FROM customer"),
    r"\conninfo": ("constellation",),
    r"\encoding": ("UTF8",),
    r"SELECT 1 AS a, 'x'::text AS b \gdesc": ("a      | integer", "b      | text"),
}
_UNIQUE_FUNCTION = r"\sf pg_get_userbyid"


@pytest.fixture(scope="module")
def dsn() -> Iterator[str]:
    with Engine() as engine, Server(engine, port=0) as server:
        session = engine.session()
        for result in session.execute(SCHEMA + _STREAMING):
            list(result.batches)
        host, port = server.address
        yield f"host={host} port={port} user=constellation dbname=constellation"


@pytest.fixture(params=_PROGRAMS, ids=["from the wheel", "installed"][: len(_PROGRAMS)])
def psql(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _run(psql: str, dsn: str, command: str) -> subprocess.CompletedProcess[str]:
    arguments = [psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", dsn]
    return subprocess.run(arguments, input=command + "\n", capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("command", _COMMANDS)
def test_a_command_shows_what_it_must(psql: str, dsn: str, command: str) -> None:
    done = _run(psql, dsn, command)
    assert (done.returncode, done.stderr) == (0, "")
    for expected in _COMMANDS[command]:
        assert expected in done.stdout


def test_a_function_is_shown_as_its_definition(psql: str, dsn: str) -> None:
    done = _run(psql, dsn, _UNIQUE_FUNCTION)
    assert done.stdout.startswith("CREATE OR REPLACE FUNCTION pg_catalog.pg_get_userbyid(oid)\n RETURNS name\n")


def test_a_relation_that_is_not_there_is_named(psql: str, dsn: str) -> None:
    done = subprocess.run(
        [psql, "-X", dsn, "-c", r"\d nothing"], capture_output=True, text=True, timeout=60, check=False
    )
    assert 'Did not find any relation named "nothing".' in done.stderr
