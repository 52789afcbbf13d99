"""DuckDB attaches us as a Postgres database: it reads by binary COPY, and writes the same way.

The scanner is released for one version of DuckDB, which lies in a folder of its own and runs in a process of its own.
It changes rows by ``ctid``, which there is none of: UPDATE and DELETE through it are errors. By ``ctid`` it also reads
what it has made itself since it attached, unless ``pg_use_ctid_scan`` is off.
"""

from __future__ import annotations

import json
import subprocess
import sys

import psycopg

from tests.clients.conftest import Served
from tests.clients.installed import duckdb_scanner

_PROGRAM = """
import json, sys
from pathlib import Path
folder, dsn, statements = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
sys.path.insert(0, folder)
import duckdb
connection = duckdb.connect()
connection.execute(f"LOAD '{next(Path(folder).rglob('postgres_scanner.duckdb_extension'))}'")
connection.execute("SET pg_use_ctid_scan = false")
connection.execute(f"ATTACH '{dsn}' AS pg (TYPE postgres)")
for statement in statements:
    try:
        answer = connection.execute(statement).fetchall()
    except duckdb.Error as error:
        answer = str(error)
    print(json.dumps(answer, default=str))
"""


def ask(served: Served, *statements: str) -> list[object]:
    command = [sys.executable, "-c", _PROGRAM, str(duckdb_scanner()), served.dsn, json.dumps(statements)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_it_reads_writes_and_goes_on(served: Served) -> None:
    with psycopg.connect(served.dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE ducks (id int PRIMARY KEY, name text, weight numeric(6,2), hatched date)")
        connection.execute("CREATE MATERIALIZED VIEW duck_count AS SELECT count(*) AS ducks FROM ducks")
        connection.execute("INSERT INTO ducks VALUES (1, 'it''s é', 1.25, '2024-02-29'), (2, NULL, NULL, NULL)")
        answers = ask(
            served,
            "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'public' AND table_name LIKE 'duck%'"
            " ORDER BY 1",
            "SELECT * FROM pg.ducks ORDER BY id",
            "SELECT name FROM pg.ducks WHERE id > 1 AND weight IS NULL",
            "INSERT INTO pg.ducks VALUES (3, 'new', 2, '2024-01-01'), (4, 'newer', 3, NULL)",
            "SELECT ducks FROM pg.duck_count",
            "INSERT INTO pg.ducks VALUES (3, 'twice', 2, NULL)",
            "BEGIN TRANSACTION",
            "INSERT INTO pg.ducks VALUES (5, 'gone', 1, NULL)",
            "ROLLBACK",
            "SELECT count(*) FROM pg.ducks",
            "CREATE TABLE pg.duck_made AS SELECT i, i * 2 AS twice FROM range(1000) AS r(i)",
            "SELECT count(*), sum(twice) FROM pg.duck_made",
            "DROP TABLE pg.duck_made",
            "SELECT * FROM postgres_query('pg', 'SELECT 1 AS n, ''x'' AS t')",
            "UPDATE pg.ducks SET name = 'x' WHERE id = 1",
        )
        twice, changed = str(answers.pop(5)), str(answers.pop())
        assert answers == [
            [["duck_count"], ["duck_count_errors"], ["ducks"]],
            [[1, "it's é", "1.25", "2024-02-29"], [2, None, None, None]],
            [[None]],
            [[2]],
            [[4]],
            [],
            [[1]],
            [],
            [[4]],
            [[1000]],
            [[1000, 999000]],
            [],
            [[1, "x"]],
        ]
        assert 'duplicate key value violates unique constraint "ducks_pkey"' in twice
        assert 'system column "ctid" is not supported' in changed
        connection.execute("DROP MATERIALIZED VIEW duck_count")
        connection.execute("DROP TABLE ducks")
