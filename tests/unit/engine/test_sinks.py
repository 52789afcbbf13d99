"""Sinks of an engine: what they deliver, what a restart does, and what happens when a target fails."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from constellationdb import connect
from constellationdb.embedded.database import Database
from constellationdb.engine.going_back import go_back
from constellationdb.errors import ConstellationError
from constellationdb.storage.directory import DataDirectory

SETUP = (
    "CREATE TABLE t (id int PRIMARY KEY, g text, v int)",
    "CREATE MATERIALIZED VIEW m AS SELECT g, count(*) AS n, sum(v) AS s FROM t GROUP BY g",
    "INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20)",
)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with connect(tmp_path / "data") as database:
        for statement in SETUP:
            database.execute(statement)
        yield database


def output(path: Path) -> list[dict[str, object]]:
    """The rows of a directory, file by file in the order of their epochs."""
    names = sorted(p for p in path.glob("*.jsonl"))
    return [json.loads(line) for name in names for line in name.read_text().splitlines()]


def folded(path: Path, key: str) -> dict[object, dict[str, object]]:
    """What an upsert comes to."""
    found: dict[object, dict[str, object]] = {}
    for row in output(path):
        if row.pop("_op") == "delete":
            found.pop(row[key], None)
        else:
            found[row[key]] = row
    return found


def state(database: Database, name: str = "s") -> tuple[object, ...]:
    (found,) = database.sql(f"SELECT state, error FROM constellation.sinks WHERE name = '{name}'").fetchall()
    return tuple(found)


def sink(path: Path, over: str = "FROM m", name: str = "s", **options: str) -> str:
    more = "".join(f", {key} = '{value}'" for key, value in options.items())
    return f"CREATE SINK {name} {over} WITH (connector = 'file', path = '{path}'{more})"


def test_upserts_come_to_what_the_view_is(db: Database, tmp_path: Path) -> None:
    db.execute(sink(tmp_path / "out"))
    db.execute("WAIT")
    db.execute("INSERT INTO t VALUES (3, 'a', 5), (4, 'c', 1)")
    db.execute("WAIT")
    db.execute("DELETE FROM t WHERE g = 'b'")
    db.execute("WAIT")
    assert folded(tmp_path / "out", "g") == {"a": {"g": "a", "n": 2, "s": 15}, "c": {"g": "c", "n": 1, "s": 1}}
    rows = output(tmp_path / "out")
    assert {"_op": "delete", "g": "b", "n": None, "s": None} in rows
    assert len(rows) == 2 + 2 + 1, "each commit tells of the keys that changed, once"


def test_debezium_tells_every_change_with_its_epoch(db: Database, tmp_path: Path) -> None:
    db.execute(sink(tmp_path / "out", "FROM t", type="debezium"))
    db.execute("WAIT")
    for statement in (
        "UPDATE t SET v = 11 WHERE id = 1",
        "DELETE FROM t WHERE id = 1",
        "INSERT INTO t VALUES (1, 'z', 0)",
    ):
        db.execute(statement)
    db.execute("WAIT")
    found = output(tmp_path / "out")
    assert [row["op"] for row in found] == ["r", "r", "u", "d", "c"]
    assert found[2]["before"] == {"id": 1, "g": "a", "v": 10}
    assert found[2]["after"] == {"id": 1, "g": "a", "v": 11}
    assert found[3]["after"] is None
    epochs = [row["source"]["epoch"] for row in found[2:]]  # type: ignore[index]
    assert epochs == sorted(set(epochs))


def test_append_of_a_source_and_without_a_snapshot(db: Database, tmp_path: Path) -> None:
    db.execute("CREATE SOURCE click (page text)")
    db.execute("CREATE MATERIALIZED VIEW pages AS SELECT page FROM click")
    db.execute("INSERT INTO click VALUES ('early')")
    db.execute(sink(tmp_path / "all", "FROM pages"))
    db.execute(sink(tmp_path / "new", "FROM pages", "later", snapshot="false"))
    db.execute(sink(tmp_path / "source", "FROM click", "direct"))
    db.execute("WAIT")
    db.execute("INSERT INTO click VALUES ('late'), ('late')")
    db.execute("WAIT")
    assert output(tmp_path / "all") == [{"page": "early"}, {"page": "late"}, {"page": "late"}]
    assert output(tmp_path / "new") == output(tmp_path / "source") == [{"page": "late"}, {"page": "late"}]


@pytest.mark.parametrize("checkpoint", [False, True])
def test_a_restart_goes_on_behind_the_marker(tmp_path: Path, checkpoint: bool) -> None:
    """Also a sink on a source, which keeps nothing but its log, and that has delivered nothing yet."""
    with connect(tmp_path / "data") as database:
        database.execute("CREATE SOURCE click (page int)")
        database.execute("CREATE TABLE pages (page int)")
        database.execute(sink(tmp_path / "out", "FROM click", commit_interval="1h"))
        database.execute("CREATE SINK k INTO pages FROM click")
        for page in range(5):
            database.execute(f"INSERT INTO click VALUES ({page})")
        if checkpoint:
            database.execute("CHECKPOINT")
    for life in range(1, 4):
        with connect(tmp_path / "data") as database:
            database.execute(f"INSERT INTO click VALUES ({life * 10})")
            if checkpoint:
                database.execute("CHECKPOINT")
            database.execute("WAIT")
            assert state(database) == ("running", None)
    expected = [0, 1, 2, 3, 4, 10, 20, 30]
    assert [row["page"] for row in output(tmp_path / "out")] == expected
    with connect(tmp_path / "data") as database:
        assert [page for (page,) in database.sql("SELECT page FROM pages ORDER BY 1").fetchall()] == expected


def test_what_the_target_lacks_is_kept_and_in_checkpoints(tmp_path: Path) -> None:
    """A target that cannot be written holds up nobody, and gets everything when it can."""
    target = tmp_path / "out"
    with connect(tmp_path / "data") as database:
        for statement in SETUP:
            database.execute(statement)
        database.execute(sink(target, type="debezium", commit_interval="10ms"))
        database.execute("WAIT")
        shutil.move(target, tmp_path / "aside")
        target.write_text("in the way")
        for number in range(10, 20):
            database.execute(f"INSERT INTO t VALUES ({number}, 'a', 1)")
        database.execute("WAIT")
        found, error = state(database)
        assert found == "retrying"
        assert "could not write to" in str(error)
        assert database.sql("SELECT n FROM m WHERE g = 'a'").fetchall() == [(11,)]
        database.execute("CHECKPOINT")
    target.unlink()
    shutil.move(tmp_path / "aside", target)
    with connect(tmp_path / "data") as database:
        database.execute("WAIT")
        assert state(database) == ("running", None)
        last = output(target)[-1]["after"]
        assert last == {"g": "a", "n": 11, "s": 20}
        assert len(output(target)) == 2 + 10


def test_a_target_without_its_marker_is_told_from_a_new_one(db: Database, tmp_path: Path) -> None:
    db.execute(sink(tmp_path / "out"))
    db.execute("WAIT")
    db.execute("CHECKPOINT")
    db.close()
    shutil.rmtree(tmp_path / "out")
    with connect(tmp_path / "data") as again:
        again.execute("WAIT")
        found, error = state(again)
        assert found == "failed"
        assert str(error).startswith("the target has no marker of this sink any more; it had everything up to epoch ")


def test_a_target_that_is_ahead_belongs_to_another_history(db: Database, tmp_path: Path) -> None:
    db.execute(sink(tmp_path / "out"))
    db.execute("CHECKPOINT")
    db.close()
    shutil.copytree(tmp_path / "data", tmp_path / "copy")
    with connect(tmp_path / "data") as first:
        for number in range(5, 9):
            first.execute(f"INSERT INTO t VALUES ({number}, 'x', 1)")
        first.execute("WAIT")
    with connect(tmp_path / "copy") as second:
        second.execute("WAIT")
        assert state(second)[0] == "failed"
        assert "it belongs to another history" in str(state(second)[1])


def test_into_a_table_that_a_view_reads(db: Database) -> None:
    db.execute("CREATE TABLE totals (s bigint, n bigint, g text PRIMARY KEY)")
    db.execute("CREATE MATERIALIZED VIEW top AS SELECT max(s) AS best FROM totals")
    db.execute("CREATE SINK k INTO totals FROM m")
    db.execute("INSERT INTO t VALUES (3, 'a', 5)")
    db.execute("DELETE FROM t WHERE g = 'b'")
    db.execute("WAIT")
    assert db.sql("SELECT * FROM totals").fetchall() == [(15, 2, "a")]
    assert db.sql("SELECT best FROM top").fetchall() == [(15,)]


def test_a_row_that_a_table_refuses_fails_its_sink_alone(db: Database, tmp_path: Path) -> None:
    db.execute("CREATE TABLE small (g text PRIMARY KEY, n bigint CHECK (n < 3), s bigint)")
    db.execute("CREATE SINK k INTO small FROM m")
    db.execute(sink(tmp_path / "out"))
    db.execute("INSERT INTO t VALUES (3, 'a', 5), (4, 'a', 5)")
    db.execute("WAIT")
    assert state(db, "k")[0] == "failed"
    assert "violates check constraint" in str(state(db, "k")[1])
    assert state(db) == ("running", None)
    db.execute("DELETE FROM t WHERE id = 4")
    db.execute("ALTER SINK k SET (commit_interval = '20ms')")
    db.execute("WAIT")
    assert state(db, "k") == ("running", None)
    assert db.sql("SELECT * FROM small ORDER BY g").fetchall() == [("a", 2, 15), ("b", 1, 20)]


def test_replacing_a_sink_goes_on_and_another_one_needs_another_place(db: Database, tmp_path: Path) -> None:
    db.execute(sink(tmp_path / "out"))
    db.execute("WAIT")
    db.execute(sink(tmp_path / "out", commit_interval="1s").replace("CREATE", "CREATE OR REPLACE"))
    db.execute("INSERT INTO t VALUES (3, 'c', 1)")
    db.execute("WAIT")
    assert len(output(tmp_path / "out")) == 3
    with pytest.raises(ConstellationError, match="has the output of another sink"):
        db.execute(sink(tmp_path / "out", name="other"))
    db.execute("DROP SINK s")
    assert db.sql("SELECT count(*) FROM constellation.sinks").fetchall() == [(0,)]


def test_a_view_replaced_under_its_sink_tells_it_the_difference(db: Database, tmp_path: Path) -> None:
    db.execute(sink(tmp_path / "out"))
    db.execute("WAIT")
    view = "CREATE OR REPLACE MATERIALIZED VIEW m AS SELECT g, count(*) AS n, sum({}) AS s FROM t GROUP BY g"
    db.execute(view.format("v * 2"))
    db.execute("WAIT")
    assert folded(tmp_path / "out", "g")["a"] == {"g": "a", "n": 1, "s": 20}
    with pytest.raises(ConstellationError, match="a sink depends on them"):
        db.execute("CREATE OR REPLACE MATERIALIZED VIEW m AS SELECT g, 1::bigint AS n, v::bigint AS s FROM t")


def test_going_back_is_told_from_going_on(tmp_path: Path) -> None:
    """A target with epochs that were undone is refused; a table here went back together with its sink."""
    with connect(tmp_path / "data") as database:
        for statement in SETUP:
            database.execute(statement)
        database.execute("CREATE TABLE totals (g text PRIMARY KEY, n bigint, s bigint)")
        database.execute("CREATE SINK k INTO totals FROM m")
        database.execute(sink(tmp_path / "ahead"))
        database.execute(sink(tmp_path / "level", name="level"))
        database.execute("WAIT")
        database.execute("CHECKPOINT")
        ((epoch,),) = database.sql("SELECT max(epoch) FROM constellation.checkpoints").fetchall()
        shutil.copytree(tmp_path / "level", tmp_path / "aside")
        database.execute("INSERT INTO t VALUES (9, 'undone', 1)")
        database.execute("WAIT")
    shutil.rmtree(tmp_path / "level")
    shutil.move(tmp_path / "aside", tmp_path / "level")
    with DataDirectory(tmp_path / "data") as directory:
        go_back(directory, epoch)
    with connect(tmp_path / "data") as database:
        database.execute("INSERT INTO t VALUES (10, 'a', 1)")
        database.execute("WAIT")
        assert state(database)[0] == "failed"
        assert "which was undone when the database went back" in str(state(database)[1])
        assert state(database, "level") == state(database, "k") == ("running", None)
        expected = [("a", 2, 11), ("b", 1, 20)]
        assert database.sql("SELECT * FROM totals ORDER BY g").fetchall() == expected
        assert sorted(tuple(row.values()) for row in folded(tmp_path / "level", "g").values()) == expected
