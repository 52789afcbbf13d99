"""kill -9 of the server, and of the Postgres that it writes to, while sinks deliver: every change arrives, and once.

Writers change a table. Its view goes to a directory (every change of it), to a table in Postgres (the rows of the view,
and every entry that was ever added), and to a table of the server's own.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg

from constellationdb import connect
from constellationdb.embedded.database import Database
from tests.e2e.conftest import PATIENCE_S, Serve
from tests.postgres_fixture import start_postgres

KILLS = int(os.environ.get("CONSTELLATION_SINK_KILLS", "2"))

Row = tuple[Any, ...]


def setup(out: Path, dsn: str) -> tuple[str, ...]:
    files = f"connector = 'file', commit_interval = '20ms', path = '{out}"
    postgres = f"connector = 'postgres', dsn = '{dsn}', commit_interval = '20ms'"
    return (
        "CREATE TABLE entry (id bigint PRIMARY KEY, writer int, amount int)",
        "CREATE SOURCE event (id bigint, amount int)",
        "CREATE MATERIALIZED VIEW ledger AS"
        " SELECT writer, count(*) AS n, sum(amount) AS total FROM entry GROUP BY writer",
        "CREATE TABLE ours (writer int PRIMARY KEY, n bigint, total bigint)",
        f"CREATE SINK changes FROM ledger WITH ({files}/changes', type = 'debezium')",
        f"CREATE SINK parts FROM event WITH ({files}/parts', partition_by = 'amount')",
        f"CREATE SINK rows FROM ledger WITH (table = 'ledger', {postgres})",
        f"CREATE SINK events FROM event WITH (table = 'event', {postgres})",
        "CREATE SINK own INTO ours FROM ledger",
    )


def write(dsn: str, number: int, draw: random.Random, acknowledged: list[Row]) -> None:
    """Until the server is gone: events, and entries that come and go."""
    with suppress(psycopg.OperationalError), psycopg.connect(dsn, autocommit=True) as connection:
        while True:
            key = draw.randrange(1 << 40)
            connection.execute("INSERT INTO event VALUES (%s, %s)", (key, key % 3))
            acknowledged.append((key, key % 3))
            connection.execute("INSERT INTO entry VALUES (%s, %s, %s)", (key, number, key % 7))
            if draw.random() < 0.5:
                connection.execute("DELETE FROM entry WHERE id = %s", (key,))


def replayed(folder: Path) -> Counter[Row]:
    """What the changes in the files lead to; no row is taken away that is not there, none is there twice."""
    rows: Counter[Row] = Counter()
    for name in sorted(folder.glob("*.jsonl")):
        for line in name.read_text().splitlines():
            change = json.loads(line)
            for side, weight in (("before", -1), ("after", 1)):
                if change[side] is not None:
                    row = tuple(change[side].values())
                    rows[row] += weight
                    assert rows[row] in (0, 1), f"{name.name}: {line}"
    return +rows


def written(folder: Path) -> list[Row]:
    found = []
    for name in folder.rglob("*.jsonl"):
        amount = int(name.parent.name.partition("=")[2])
        found += [(json.loads(line)["id"], amount) for line in name.read_text().splitlines()]
    return sorted(found)


def delivered(database: Database) -> None:
    """Until the sinks have delivered all there is; a target that was gone a moment ago is tried again soon."""
    deadline = time.monotonic() + PATIENCE_S
    wrong = "state <> 'running' OR epochs_behind > 0"
    query = f"SELECT name, state, error, epochs_behind FROM constellation.sinks WHERE {wrong}"
    while left := database.sql(query).fetchall():
        assert all(state != "failed" for _, state, _, _ in left), left
        assert time.monotonic() < deadline, left
        database.execute("WAIT")
        time.sleep(0.05)


@contextmanager
def crashing_postgres() -> Iterator[tuple[str, Any]]:
    """A Postgres, and what kills all of its processes and starts it again."""
    with start_postgres() as dsn:
        with psycopg.connect(dsn) as connection:
            (data,) = connection.execute("SHOW data_directory").fetchone() or ("",)
        program = Path(f"/proc/{Path(data, 'postmaster.pid').read_text().split()[0]}/exe").resolve()

        def crash() -> None:
            os.kill(int(Path(data, "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
            time.sleep(0.2)  # its processes see that it is gone
            command = [str(program.with_name("pg_ctl")), "-D", data, "-w", "-t", "60", "-l", f"{data}/../log", "start"]
            command = ["runuser", "-u", "nobody", "--", *command] if os.geteuid() == 0 else command
            deadline = time.monotonic() + PATIENCE_S
            while subprocess.run(command, cwd="/", check=False, capture_output=True).returncode:
                assert time.monotonic() < deadline, "Postgres does not start again"

        yield dsn, crash


def test_every_change_arrives_once(serve: Serve, tmp_path: Path) -> None:
    draw = random.Random(11)
    acknowledged: list[Row] = []
    with crashing_postgres() as (target, crash):
        for life in range(KILLS + 1):
            served = serve(tmp_path / "data")
            if life == 0:
                with connect(served.dsn) as database:
                    for statement in setup(tmp_path / "out", target):
                        database.execute(statement)
            if life == KILLS:
                break
            with ThreadPoolExecutor(3) as pool:
                running = [
                    pool.submit(write, served.dsn, n, random.Random(life * 10 + n), acknowledged) for n in range(3)
                ]
                time.sleep(draw.uniform(0.2, 0.7))
                if life % 2:
                    with psycopg.connect(served.dsn, autocommit=True) as connection:
                        connection.execute("CHECKPOINT")
                if life % 3 == 1:
                    crash()
                    time.sleep(draw.uniform(0.0, 0.5))
                served.stop(signal.SIGKILL)
                for ended in running:
                    ended.result(PATIENCE_S)
        with connect(served.dsn) as database:
            delivered(database)
            view = sorted(database.sql("SELECT writer, n, total FROM ledger").fetchall())
            assert sorted(database.sql("SELECT * FROM ours").fetchall()) == view
            asked = set(database.sql("SELECT id, (id % 3)::int FROM entry").fetchall())
        with psycopg.connect(target) as connection:
            assert sorted(connection.execute("SELECT writer, n, total FROM ledger").fetchall()) == view
            events = sorted(connection.execute("SELECT id, amount FROM event").fetchall())
    assert sorted(replayed(tmp_path / "out" / "changes")) == view
    assert events == written(tmp_path / "out" / "parts"), "two targets of one source"
    assert len(set(events)) == len(events), "no event twice"
    assert set(acknowledged) | asked <= set(events), "none that was acknowledged is lost"
    assert len(acknowledged) > 10 * KILLS
