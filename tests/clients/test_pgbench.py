"""pgbench with a script of its own: random variables, transactions, all three ways to say a query.

``pgbench -i`` makes columns of type character(n), which are refused here, so its own tables are not used.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import psycopg
import pytest

from tests.clients.conftest import Served
from tests.postgres_fixture import postgres_program

SCRIPT = """
\\set id random(1, 20)
\\set amount random(1, 5)
BEGIN;
UPDATE bench_account SET balance = balance + :amount WHERE id = :id;
SELECT balance AS found FROM bench_account WHERE id = :id \\gset
INSERT INTO bench_moved VALUES (:id, :amount, :found);
END;
"""


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_money_is_conserved(mode: str, served: Served, tmp_path: Path) -> None:
    (tmp_path / "script.sql").write_text(SCRIPT)
    with psycopg.connect(served.dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE bench_account (id int PRIMARY KEY, balance bigint)")
        connection.execute("CREATE TABLE bench_moved (id int, amount int, found bigint)")
        connection.execute("CREATE MATERIALIZED VIEW bench_sums AS SELECT sum(balance) AS total FROM bench_account")
        connection.execute("INSERT INTO bench_account SELECT g, 0 FROM generate_series(1, 20) AS g")
        command = [str(postgres_program("pgbench")), "-n", "-M", mode, "-c", "3", "-t", "30", "--max-tries=1000"]
        command += ["-f", str(tmp_path / "script.sql"), "-h", served.host, "-p", str(served.port), "-U", served.user]
        done = subprocess.run([*command, served.database], capture_output=True, text=True, timeout=100, check=False)
        assert "number of transactions actually processed: 90/90\n" in done.stdout, done.stderr
        assert "number of failed transactions: 0 " in done.stdout
        sums = "SELECT total, (SELECT sum(amount) FROM bench_moved), (SELECT count(*) FROM bench_moved) FROM bench_sums"
        times = 0
        while times < 90:  # the view has what others wrote a moment later; whatever is seen is of one epoch
            total, moved, times = connection.execute(sums.encode()).fetchall()[0]
            assert total == moved
        assert times == 90
        connection.execute("DROP MATERIALIZED VIEW bench_sums")
        connection.execute("DROP TABLE bench_account, bench_moved")


def test_why_its_own_tables_are_not_made(served: Served) -> None:
    where = ["-h", served.host, "-p", str(served.port), "-U", served.user, served.database]
    command = [str(postgres_program("pgbench")), "-i", *where]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert "ERROR:  character(n) is not supported" in done.stderr
