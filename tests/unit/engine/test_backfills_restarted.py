"""Checkpoints while first answers are being computed: they do not wait for these, and a restart goes on from there."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from constellationdb.engine.backfills import BackfillProgress
from constellationdb.engine.engine import Engine
from constellationdb.engine.job import Backfill, Job
from constellationdb.engine.session import Session
from tests.unit.engine.statements import run

_FAR = 1e6


@dataclass
class Gate:
    """How many more steps the first answers may take, each."""

    steps: int = 0


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """First answers go on in chunks of 32 rows, as far as the gate lets them."""
    made, begin, step = Gate(), Job.begin, Job.step
    allowed: dict[int, int] = {}

    def begin_gated(job: Job, epoch: int, read: Backfill, progress: BackfillProgress) -> None:
        begin(job, epoch, read, progress)
        allowed[id(job)] = made.steps
        if not made.steps:
            progress.due = _FAR * 1e3

    def step_gated(job: Job, work: Any) -> Any:
        changes = step(job, work)
        if work is None and job.progress is not None:
            allowed[id(job)] -= 1
            if allowed[id(job)] <= 0:
                job.progress.due = _FAR * 1e3
        return changes

    monkeypatch.setattr(Job, "begin", begin_gated)
    monkeypatch.setattr(Job, "step", step_gated)
    monkeypatch.setattr("constellationdb.engine.engine.CHUNK_ROWS", 32)
    return made


def _open(engine: Engine) -> None:
    with engine.lock:
        for job in engine.jobs.values():
            if job.progress is not None:
                job.progress.due = 0.0
        engine.moved()


def _stands(engine: Engine, views: Iterator[str] | list[str]) -> None:
    """Until these have taken the steps that they may."""
    jobs = [engine.jobs[name] for name in views]
    assert engine.wait(lambda: all(map(_is_still, jobs)), timeout=20.0)


def _is_still(job: Job) -> bool:
    """Done, or at the gate, or waiting for one that is."""
    waits = job.progress is not None and job.progress.due > _FAR
    return job.at_rest and (not job.starting or waits or not job.runnable())


def _checkpoint(session: Session) -> None:
    (result,) = session.execute("CHECKPOINT")
    assert not result.notices


_VIEWS = {
    "totals": "SELECT g, count(*) AS n, sum(v)::bigint AS s, max(v) AS m FROM a GROUP BY g",
    "borrowed": "SELECT a.id, a.v, b.w FROM a JOIN b ON a.g = b.g",
    "owned": "SELECT a.id, b.id AS b, b.w FROM a"
    " LEFT JOIN (SELECT id, g, w + 1 AS w FROM b WHERE w > 10) b ON a.v = b.w",
    "over": "SELECT x.g, x.n, b.w FROM x FULL JOIN b ON x.g = b.id",
    "ranked": "SELECT g, id, v FROM (SELECT g, id, v, row_number() OVER (PARTITION BY g ORDER BY v DESC, id) AS r"
    " FROM a) q WHERE r <= 2",
    "pushed": "SELECT p.k, count(*) AS n, sum(b.w)::bigint AS w FROM p JOIN b ON p.k = b.g GROUP BY p.k",
    "plain": "SELECT id, v FROM a WHERE v % 3 = 0",
    "keyless": "SELECT k, count(*) AS n FROM (SELECT k FROM bag UNION ALL SELECT g AS k FROM b) u GROUP BY k",
    "again": "SELECT count(*) AS n, sum(n)::bigint AS s FROM totals",
}


_CLICKS = """
    CREATE SOURCE click (k int, at timestamp, WATERMARK FOR at AS at - INTERVAL '5 seconds')
    WITH (connector = 'file', path = '{path}', format = 'csv', follow = 'true')
"""
_WINDOWS = {
    "closed": "SELECT k, window_end, count(*) AS n FROM TUMBLE(click, at, INTERVAL '10 seconds')"
    " GROUP BY k, window_end EMIT ON WINDOW CLOSE",
    "sessions": "SELECT k, window_start, window_end, count(*) AS n FROM SESSION(click PARTITION BY k, at,"
    " INTERVAL '600 milliseconds') GROUP BY k, window_start, window_end EMIT ON WINDOW CLOSE",
    "recent": "SELECT k, at FROM click WHERE at > now() - INTERVAL '36500 days' AND k < 3",
    "named": "SELECT click.k, name.n FROM click JOIN name ON name.k = click.k",
}


class World:
    """Tables, a source that is pushed to, and what was pushed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.pushed: list[int] = []
        self.next = 1

    def create(self, session: Session) -> None:
        run(
            session,
            "CREATE TABLE a (id int PRIMARY KEY, g int, v int)",
            "CREATE TABLE b (id int PRIMARY KEY, g int, w int)",
            "CREATE TABLE bag (k int)",
            "CREATE SOURCE p (k int)",
            "CREATE MATERIALIZED VIEW x AS SELECT g, count(*) AS n FROM a GROUP BY g",
        )
        self.insert(session, 150)

    def insert(self, session: Session, count: int) -> None:
        pick = self.random.randrange
        rows = [(self.next + i, pick(12), pick(40)) for i in range(count)]
        self.next += count
        for table in ("a", "b"):
            values = ", ".join(f"({i}, {g if g else 'NULL'}, {v})" for i, g, v in rows if table == "a" or i % 2)
            run(session, f"INSERT INTO {table} VALUES {values}")
        keys = [pick(12) for _ in range(count // 3 + 1)]
        run(session, "INSERT INTO bag VALUES " + ", ".join(f"({key})" for key in keys))

    def push(self, session: Session, count: int = 20) -> None:
        keys = [self.random.randrange(12) for _ in range(count)]
        run(session, "INSERT INTO p VALUES " + ", ".join(f"({key})" for key in keys))
        self.pushed += keys

    def change(self, session: Session) -> None:
        low = self.random.randrange(self.next)
        run(
            session,
            f"UPDATE a SET v = v + 1, g = 3 WHERE id BETWEEN {low} AND {low + 15}",
            f"DELETE FROM b WHERE id BETWEEN {low} AND {low + 9}",
            f"DELETE FROM a WHERE id = {low}",
            f"DELETE FROM bag WHERE k = {self.random.randrange(12)}",
        )
        self.insert(session, 10)
        self.push(session, 5)

    def check(self, session: Session, views: dict[str, str]) -> None:
        oracle = duckdb.connect()
        for table in ("a", "b", "bag", "x", "totals"):
            oracle.register(table, pa.Table.from_batches(_batches(session, f"SELECT * FROM {table}")))
        oracle.register("p", pa.table({"k": pa.array(self.pushed, pa.int32())}))
        for name, query in views.items():
            assert Counter(run(session, f"SELECT * FROM {name}")) == Counter(oracle.execute(query).fetchall()), name


def _batches(session: Session, query: str) -> list[pa.RecordBatch]:
    return [batch for result in session.execute(query) for batch in result.batches]


@pytest.mark.parametrize("seed", range(4))
def test_restarts_at_any_chunk(tmp_path: Path, gate: Gate, seed: int) -> None:
    """Twice killed on the way to its first answer, the first time behind a checkpoint, changes before and after it."""
    world = World(seed)
    gate.steps = world.random.randrange(1, 6)
    crashes = iter(tmp_path / f"crash{i}" for i in range(3))
    directory = tmp_path / "data"
    with Engine(directory) as engine:
        session = engine.session()
        world.create(session)
        run(session, "SET background_ddl = on")
        for name, query in _VIEWS.items():
            run(session, f"CREATE MATERIALIZED VIEW {name} AS {query}")
            if name == "pushed":
                world.pushed.clear()  # a view has what is pushed from then on
            if world.random.random() < 0.5:
                world.change(session)  # the next one begins at another epoch
        _stands(engine, list(_VIEWS))
        world.change(session)
        _checkpoint(session)
        done = {name: (p.done, p.read) for name in _VIEWS if (p := engine.jobs[name].progress) is not None}
        assert any(engine.jobs[name].starting for name in _VIEWS)
        world.change(session)
        directory = shutil.copytree(directory, next(crashes))
    gate.steps = 0
    with Engine(directory) as engine:
        session = engine.session()
        for name in _VIEWS:
            job = engine.jobs[name]
            if job.starting:
                assert job.progress is not None
                assert (job.progress.done, job.progress.read) == done[name], name
        world.change(session)
        for name in world.random.sample(sorted(_VIEWS), 4):  # some go on a little
            with engine.lock:
                job = engine.jobs[name]
                if job.progress is not None:
                    job.progress.due = 0.0
                engine.moved()
        _stands(engine, list(_VIEWS))
        _checkpoint(session)
        world.change(session)
        directory = shutil.copytree(directory, next(crashes))
    with Engine(directory) as engine:
        session = engine.session()
        world.change(session)
        while any(engine.jobs[name].starting for name in _VIEWS):
            _open(engine)
            _stands(engine, list(_VIEWS))
        run(session, "WAIT")
        world.check(session, _VIEWS)
        world.change(session)
        run(session, "FLUSH")
        world.check(session, _VIEWS)
        _checkpoint(session)
        directory = shutil.copytree(directory, next(crashes))
    with Engine(directory) as engine:
        session = engine.session()
        world.change(session)
        run(session, "FLUSH")
        world.check(session, _VIEWS)


def _hits(session: Session, path: Path, first: int, rows: int) -> None:
    """More rows of the file, one minute in all; every seventh comes late."""
    pick = random.Random(first)
    with path.open("a") as file:
        for i in range(first, first + rows):
            second = max(0, i / 10 - (20 if i % 7 == 0 else 0))
            file.write(f"{pick.randrange(5)},2024-01-01 00:{int(second // 60):02}:{second % 60:06.3f}\n")
    _until(session, "SELECT n FROM seen", [(first + rows,)])


def _until(session: Session, query: str, rows: list[tuple[object, ...]]) -> None:
    while run(session, query) != rows:
        session.engine.wait(lambda: False, timeout=0.01)


def _windows(session: Session) -> list[Counter[tuple[object, ...]]]:
    run(session, "WAIT")
    counted = "SELECT name, rows_assigned, rows_used, rows_late FROM constellation.windows"
    return [Counter(run(session, sql)) for sql in (counted, *(f"SELECT * FROM {name}" for name in _WINDOWS))]


def test_history_and_what_comes_late(tmp_path: Path, gate: Gate) -> None:
    """Windows over a source's history, closed by watermarks that a restart must neither lose nor repeat."""
    gate.steps = 1 << 30
    path, found = tmp_path / "clicks.csv", []
    for crashes in (False, True):
        path.write_text("k,at\n")
        directory = tmp_path / f"data{crashes}"
        with Engine(directory) as engine:
            session = engine.session()
            run(session, "CREATE TABLE name (k int, n text)", "INSERT INTO name VALUES (1, 'one'), (2, 'two')")
            run(session, _CLICKS.format(path=path), "CREATE MATERIALIZED VIEW seen AS SELECT count(*) AS n FROM click")
            _hits(session, path, 0, 400)
            gate.steps = 1 if crashes else 1 << 30
            run(session, "SET background_ddl = on")
            for name, query in _WINDOWS.items():
                run(session, f"CREATE MATERIALIZED VIEW {name} AS {query}")
            _stands(engine, list(_WINDOWS))
            assert any(engine.jobs[name].starting for name in _WINDOWS) == crashes
            _hits(session, path, 400, 100)
            run(session, "DELETE FROM name WHERE k = 1", "INSERT INTO name VALUES (3, 'three')")
            _checkpoint(session)
            _hits(session, path, 500, 100)
            if not crashes:
                found.append(_windows(session))
            directory = shutil.copytree(directory, tmp_path / f"crash{crashes}")
        if crashes:
            gate.steps = 1 << 30
            with Engine(directory) as engine:
                found.append(_windows(engine.session()))
    assert found[0] == found[1]
    assert all(found[0])
