"""``constellation`` as processes: a server, and what talks to it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from constellationdb import connect
from tests.e2e.conftest import PATIENCE_S, Serve, Served, constellation

SETUP = """CREATE TABLE account (id bigint PRIMARY KEY, owner text, balance bigint);
           CREATE MATERIALIZED VIEW wealth AS SELECT owner, sum(balance) AS total FROM account GROUP BY owner"""
SCRIPT = """statement ok
CREATE TABLE e2e (a int PRIMARY KEY)

statement count 2
INSERT INTO e2e VALUES (1), (2)

query I rowsort
SELECT a FROM e2e
----
1
{second}

statement ok
DROP TABLE e2e
"""


def test_a_directory_survives_kill_9_and_says_what_it_restored(serve: Serve, tmp_path: Path) -> None:
    first = serve(tmp_path / "data")
    with connect(first.dsn) as database:
        database.execute(SETUP)
        for number, owner in enumerate(["ada", "bob", "ada"]):
            assert database.execute("INSERT INTO account VALUES ($1, $2, 5)", [number, owner]) == "INSERT 0 1"
    first.stop(signal.SIGKILL)
    second = serve(tmp_path / "data")
    assert any("restored" in line for line in second.lines), second.lines
    done = constellation("sql", "--dsn", second.dsn, "-c", "SELECT * FROM wealth ORDER BY owner")
    assert done.stdout.splitlines() == [
        " owner | total",
        "-------+-------",
        " ada   |    10",
        " bob   |     5",
        "(2 rows)",
        "",
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_cleanly(serve: Serve, number: signal.Signals) -> None:
    ending = serve()
    assert ending.stop(number) == 0
    done = constellation("sql", "--dsn", ending.dsn, "-c", "SELECT 1")
    assert (done.returncode, done.stdout) == (1, "")


def test_a_taken_port_is_a_clear_error(served: Served) -> None:
    done = constellation("serve", "--listen", f"127.0.0.1:{served.port}")
    assert done.returncode == 1
    assert "is already in use" in done.stderr
    assert "HINT:  stop the other server or choose another port with --listen" in done.stderr


def test_an_address_beyond_this_machine_is_refused() -> None:
    done = constellation("serve", "--listen", "0.0.0.0:0")
    assert done.returncode == 1
    assert 'refusing to listen on "0.0.0.0"' in done.stderr


def test_tail_prints_the_view_and_its_changes_and_the_way_to_go_on(served: Served) -> None:
    command = [sys.executable, "-m", "constellationdb", "tail", "wealth", "--dsn", served.dsn]
    with connect(served.dsn) as database:
        database.execute(SETUP)
        database.execute("INSERT INTO account VALUES (1, 'ada', 5)")
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tail:
            assert tail.stdout is not None
            assert tail.stdout.readline().split("\t")[1:] == ["1", "ada", "5\n"]
            database.execute("INSERT INTO account VALUES (2, 'ada', 2)")
            changed = sorted(tail.stdout.readline().split("\t")[1:] for _ in range(2))
            assert changed == [["-1", "ada", "5\n"], ["1", "ada", "7\n"]]
            tail.send_signal(signal.SIGINT)
            _, said = tail.communicate(timeout=PATIENCE_S)
        assert tail.returncode == 0
        assert "go on with: constellation tail wealth --resume wealth@" in said
        token = said.split()[-1]
        database.execute("DELETE FROM account WHERE id = 2")
        with subprocess.Popen([*command, "--resume", token], stdout=subprocess.PIPE, text=True) as tail:
            assert tail.stdout is not None
            resumed = sorted(tail.stdout.readline().split("\t")[1:] for _ in range(2))
            tail.send_signal(signal.SIGTERM)
            assert tail.wait(PATIENCE_S) == 0
        assert resumed == [["-1", "ada", "7\n"], ["1", "ada", "5\n"]]
        database.execute("DROP TABLE account CASCADE")


def test_sql_reads_files_and_keeps_a_directory(tmp_path: Path) -> None:
    (tmp_path / "setup.sql").write_text(SETUP)
    data = str(tmp_path / "data")
    assert constellation("sql", "--dir", data, "-f", str(tmp_path / "setup.sql")).stdout == (
        "CREATE TABLE\nCREATE MATERIALIZED VIEW\n"
    )
    done = constellation("sql", "--dir", data, "-c", "SELECT count(*) AS n FROM wealth")
    assert done.stdout.splitlines() == [" n", "---", " 0", "(1 row)", ""]


@pytest.mark.parametrize(
    ("second", "code", "summary"), [("2", 0, "4 passed, 0 failed"), ("3", 1, "3 passed, 1 failed")]
)
@pytest.mark.parametrize("where", ["in process", "over the wire"])
def test_slt_counts_and_fails_both_ways(
    served: Served, tmp_path: Path, second: str, code: int, summary: str, where: str
) -> None:
    script = tmp_path / "script.slt"
    script.write_text(SCRIPT.format(second=second))
    target = ["--dsn", served.dsn] if where == "over the wire" else []
    done = constellation("slt", str(script), *target)
    assert done.stdout.splitlines()[-1] == summary, done.stdout + done.stderr
    assert done.returncode == code
    assert ("script.slt:7" in done.stdout) == bool(code)
