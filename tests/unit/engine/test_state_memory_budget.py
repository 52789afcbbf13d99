"""State beyond a budget of memory: the answers are those of state in memory, at every epoch and after restarts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from constellationdb import connect
from constellationdb.embedded import Database
from constellationdb.errors import DiskFull, InvalidParameter
from constellationdb.storage.scratch.space import current

_VIEWS = """
    CREATE TABLE t (k bigint, s text, v bigint);
    CREATE MATERIALIZED VIEW sums AS SELECT k, count(*) AS n, sum(v) AS total, max(v) AS most FROM t GROUP BY k;
    CREATE MATERIALIZED VIEW texts AS SELECT s, count(DISTINCT v) AS n, avg(v) AS mean FROM t GROUP BY s;
    CREATE MATERIALIZED VIEW joined AS SELECT t.k, t.s, sums.n FROM t JOIN sums ON t.k = sums.k WHERE sums.n > 2;
"""
_BATCH = """
    SELECT (SELECT count(*) FROM (SELECT * FROM sums EXCEPT ALL
                                  SELECT k, count(*), sum(v), max(v) FROM t GROUP BY k) AS x)
         + (SELECT count(*) FROM (SELECT s, n FROM texts EXCEPT ALL
                                  SELECT s, count(DISTINCT v) FROM t GROUP BY s) AS x),
           (SELECT sum(n) FROM sums), (SELECT count(*) FROM t), (SELECT count(*) FROM joined)
"""


def _rows(random: np.random.Generator, count: int, keys: int) -> pa.RecordBatch:
    k = random.zipf(1.3, count) % keys
    return pa.record_batch(
        {"k": k, "s": pa.array([None if x % 11 == 0 else f"text {x}" for x in k]), "v": random.integers(0, 50, count)}
    )


def _answers(database: Database) -> tuple[int, int, int, int]:
    wrong, counted, rows, joined = database.sql(_BATCH).fetchall()[0]
    assert wrong == 0
    assert counted == rows
    return wrong, counted, rows, joined


def _script(database: Database, random: np.random.Generator) -> Iterator[tuple[int, int, int, int]]:
    for step in range(3):
        database.insert("t", _rows(random, 2000, 700))
        yield _answers(database)
        database.execute(f"DELETE FROM t WHERE k % 5 = {step % 5} AND v < 25")
        yield _answers(database)
        database.execute(f"UPDATE t SET v = v + 1 WHERE k % 7 = {step % 7}")
        yield _answers(database)


def test_answers_are_those_of_state_in_memory(tmp_path: Path) -> None:
    with connect() as plain, connect(tmp_path / "d", state_memory_budget="4kB") as small:
        for database in (plain, small):
            database.execute(_VIEWS)
        expected = _script(plain, np.random.default_rng(1))
        for there in _script(small, np.random.default_rng(1)):
            assert there == next(expected)
        assert current() is not None
        kinds = small.sql("SELECT view, kind, bytes, disk_bytes, memory_bytes FROM constellation.state").fetchall()
        assert kinds
        assert all(0 <= on_disk <= size for _, _, size, on_disk, _ in kinds)
        assert sum(on_disk for _, _, _, on_disk, _ in kinds) > sum(size for _, _, size, _, _ in kinds) // 2


def test_it_goes_on_from_checkpoints_whole_and_of_changes(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    with connect(tmp_path / "d", state_memory_budget="4kB") as database:
        database.execute(_VIEWS)
        database.insert("t", _rows(random, 4000, 900))
        database.execute("CHECKPOINT")
        database.insert("t", _rows(random, 1000, 1900))
        database.execute("CHECKPOINT")
        database.execute("DELETE FROM t WHERE k % 3 = 0")
        before = _answers(database)
    for budget in ("4kB", None, "4kB"):  # whoever has one goes on with what another has written
        with connect(tmp_path / "d", state_memory_budget=budget) as database:
            assert _answers(database) == before
            database.insert("t", _rows(random, 1000, 2500))
            before = _answers(database)


def test_a_view_without_room_is_paused_and_goes_on(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    with connect(tmp_path / "d", state_memory_budget="4kB", state_disk_limit="1MB") as database:
        database.execute("CREATE TABLE t (k bigint, s text, v bigint)")
        database.execute("CREATE TABLE other (k bigint)")
        database.execute("CREATE MATERIALIZED VIEW sums AS SELECT s, k, v, count(*) AS n FROM t GROUP BY s, k, v")
        database.execute("CREATE MATERIALIZED VIEW small AS SELECT count(*) AS n FROM other")
        with pytest.raises(DiskFull) as error:
            _fill_until_refused(database, random)
        assert error.value.sqlstate == "53100"
        assert "is paused after epoch" in error.value.message
        assert "state_disk_limit (1024kB)" in error.value.message
        state = "SELECT state FROM constellation.jobs WHERE name = 'sums'"
        assert database.sql(state).fetchall() == [("paused",)]
        database.execute("INSERT INTO other VALUES (1)")
        assert database.sql("SELECT n FROM small").fetchall() == [(1,)]
        space = current()
        assert space is not None
        space.disk_limit = None
        rows = database.sql("SELECT count(*) FROM t").fetchall()
        while database.sql(state).fetchall() == [("paused",)]:
            pass
        assert database.sql("SELECT sum(n) FROM sums").fetchall() == rows


def _fill_until_refused(database: Database, random: np.random.Generator) -> None:
    for _ in range(50):
        database.insert("t", _rows(random, 4000, 100_000))
        database.sql("SELECT count(*) FROM sums").fetchall()


def test_sizes_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter) as error:
        connect(tmp_path / "d", state_memory_budget="lots")
    assert error.value.message == 'invalid value for parameter "state_memory_budget": "lots"'
    assert not (tmp_path / "d").exists()
