"""psql, the one of this machine and the one that ships with the Postgres wheel."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.clients.conftest import Served
from tests.postgres_fixture import postgres_program

_INSTALLED = shutil.which("psql")
_PROGRAMS = [str(postgres_program("psql")), *([_INSTALLED] if _INSTALLED else [])]


@pytest.fixture(params=_PROGRAMS, ids=["from the wheel", "installed"][: len(_PROGRAMS)])
def psql(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def run(psql: str, served: Served, *arguments: str, script: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [psql, "-X", "-q", served.dsn, *arguments]
    return subprocess.run(command, input=script, capture_output=True, text=True, timeout=60, check=False)


def test_a_query_prints_its_table(psql: str, served: Served) -> None:
    done = run(psql, served, "-c", "SELECT 1 AS a, 'x' AS b, NULL AS c, 1.5e0 AS d, true AS e")
    assert done.stderr == ""
    assert done.stdout == " a | b | c |  d  | e \n---+---+---+-----+---\n 1 | x |   | 1.5 | t\n(1 row)\n\n"


def test_several_statements_print_several_tables(psql: str, served: Served) -> None:
    done = run(psql, served, "-At", "-c", "SELECT 1 AS a; SELECT 2 AS b; SELECT 'é' AS c")
    assert done.stdout == "1\n2\né\n"


def test_an_error_is_drawn_with_its_caret(psql: str, served: Served) -> None:
    done = run(psql, served, "-c", "SELECT 1 frm x y")
    assert done.stderr.splitlines() == [
        'ERROR:  syntax error at or near "x"',
        "LINE 1: SELECT 1 frm x y",
        "                     ^",
    ]


def test_verbose_errors_name_sqlstate_and_code(psql: str, served: Served) -> None:
    done = run(psql, served, script="\\set VERBOSITY verbose\nSELEC;\n")
    assert 'ERROR:  42601: syntax error at or near "SELEC"' in done.stderr
    assert "LOCATION:  CON-1001" in done.stderr


def test_another_database_is_refused_with_a_hint(psql: str, served: Served) -> None:
    dsn = served.dsn.replace("constellation", "sales")
    command = [psql, "-X", dsn, "-c", "SELECT 1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert 'FATAL:  database "sales" does not exist' in done.stderr
    assert 'HINT:  connect to "constellation", the only database here' in done.stderr


def test_transactions_show_in_the_prompts_state(psql: str, served: Served) -> None:
    script = "BEGIN;\nSELEC 1;\nSELECT 1;\nROLLBACK;\nSELECT 2 AS n;\n"
    done = run(psql, served, "-At", script=script)
    assert "current transaction is aborted" in done.stderr
    assert done.stdout == "2\n"


def test_copy_in_and_out(psql: str, served: Served, tmp_path: Path) -> None:
    name = f"copied_{len(psql)}"
    script = f"CREATE TABLE {name} (a text, b text);\nCOPY {name} FROM STDIN;\n1\tx\\ty\n2\t\\N\n\\.\n"
    done = run(psql, served, "-At", script=script + f"COPY (SELECT a, b FROM {name} ORDER BY a) TO STDOUT;\n")
    assert done.stderr == ""
    assert done.stdout == "1\tx\\ty\n2\t\\N\n"
    target = tmp_path / "out.csv"
    query = f"SELECT a, b FROM {name} ORDER BY a"
    assert run(psql, served, "-c", f"\\copy ({query}) TO '{target}' (format csv, header true)").stderr == ""
    assert target.read_text() == "a,b\n1,x\ty\n2,\n"


def test_a_bad_copy_row_names_its_line(psql: str, served: Served) -> None:
    name = f"badly_copied_{len(psql)}"
    script = f"CREATE TABLE {name} (a text, b text);\nCOPY {name} FROM STDIN;\n1\tx\n2\n\\.\n"
    done = run(psql, served, "-At", script=script + f"SELECT count(*) AS n FROM {name};\n")
    assert done.stderr == f'ERROR:  missing data for column "b"\nCONTEXT:  COPY {name}, line 2: "2"\n'
    assert done.stdout == "0\n"


def test_an_endless_copy_is_seen_as_it_comes_and_canceled(psql: str, served: Served) -> None:
    name = f"streamed_{len(psql)}"
    assert run(psql, served, "-c", f"CREATE TABLE {name} (n int); INSERT INTO {name} VALUES (0), (1), (2)").stderr == ""
    terminal, inside = os.openpty()  # into a pipe, psql's own output would be buffered
    command = [psql, "-X", served.dsn, "-c", f"COPY (SUBSCRIBE {name}) TO STDOUT"]
    with subprocess.Popen(command, stdout=inside, stderr=subprocess.PIPE) as running:
        try:
            seen = b""
            while seen.count(b"\n") < 3:
                seen += os.read(terminal, 100)
            running.send_signal(signal.SIGINT)  # psql sends a cancel request
            _, errors = running.communicate(timeout=60)
        finally:
            running.kill()
            os.close(inside)
            os.close(terminal)
    assert sorted(line.split()[-1] for line in seen.splitlines()) == [b"0", b"1", b"2"]
    assert b"canceling statement due to user request" in errors


def test_bind_uses_the_extended_protocol(psql: str, served: Served) -> None:
    if "psql (PostgreSQL) 15" in subprocess.check_output([psql, "--version"], text=True):
        pytest.skip("\\bind came with psql 16")
    done = run(psql, served, "-At", script="SELECT $1::int + 1 AS n \\bind 41 \\g\n")
    assert done.stdout == "42\n"


def test_conninfo(psql: str, served: Served) -> None:
    done = run(psql, served, "-c", "\\conninfo")
    assert 'database "constellation" as user "tester"' in done.stdout
