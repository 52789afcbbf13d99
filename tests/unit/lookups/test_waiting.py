"""What happens while a source is asked, slow, broken or gone: the rows of its keys wait, and nothing else."""

from __future__ import annotations

from pathlib import Path

import constellationdb
from constellationdb.embedded import Database
from tests.unit.lookups.conftest import eventually, rows
from tests.unit.lookups.scripted import Scripted, connector

TABLE = "CREATE LOOKUP TABLE dim (k int PRIMARY KEY, v text) WITH (connector = 'scripted')"
STATUS = "SELECT rows_waiting, keys_waiting, error FROM constellation.lookups WHERE name = 'dim'"


def make(database: Database, kind: str = "SOURCE") -> None:
    database.execute(TABLE)
    database.execute(f"CREATE {kind} s (id int{' PRIMARY KEY' if kind == 'TABLE' else ''}, k int)")
    database.execute("CREATE MATERIALIZED VIEW joined AS SELECT s.id, dim.v FROM s LEFT JOIN dim ON dim.k = s.k")
    database.execute("CREATE MATERIALIZED VIEW other AS SELECT count(*) AS n FROM s")


def test_other_views_and_dml_go_on_while_a_key_is_asked(database: Database, script: Scripted) -> None:
    script.rows.append({"k": 1, "v": "one"})
    make(database)
    script.gate.clear()
    database.execute("INSERT INTO s VALUES (1, 1)")
    assert script.begun.wait(20)
    for n in range(2, 6):
        database.execute(f"INSERT INTO s VALUES ({n}, 1)")
        assert rows(database, "SELECT n FROM other") == [(n,)]
        assert rows(database, "SELECT * FROM joined") == []
    assert rows(database, STATUS) == [(5, 1, None)]
    assert script.keys == [1]
    script.gate.set()
    found = eventually(database, "SELECT * FROM joined ORDER BY id", lambda found: bool(found))
    assert found == [(n, "one") for n in range(1, 6)]
    assert rows(database, STATUS) == [(0, 0, None)]


def test_a_key_that_is_known_does_not_wait_for_one_that_is_not(database: Database, script: Scripted) -> None:
    script.rows += [{"k": 1, "v": "one"}, {"k": 2, "v": "two"}]
    make(database)
    database.execute("INSERT INTO s VALUES (1, 1)")
    eventually(database, "SELECT * FROM joined", bool)
    script.gate.clear()
    database.execute("INSERT INTO s VALUES (2, 2), (3, 1), (4, NULL)")
    assert rows(database, "SELECT * FROM joined ORDER BY id") == [(1, "one"), (3, "one"), (4, None)]
    script.gate.set()
    assert eventually(database, "SELECT * FROM joined WHERE id = 2", bool) == [(2, "two")]
    assert script.keys == [1, 2]


def test_a_failure_is_told_and_never_becomes_a_null(database: Database, script: Scripted) -> None:
    script.rows.append({"k": 1, "v": "one"})
    script.down = "the disk is on fire"
    make(database)
    database.execute("INSERT INTO s VALUES (1, 1), (2, 9)")
    found = eventually(database, STATUS, lambda found: found[0][2] is not None)
    assert found == [(2, 2, "the disk is on fire")]
    assert rows(database, "SELECT * FROM joined") == []
    assert rows(database, "SELECT n FROM other") == [(2,)]
    assert rows(database, "SELECT count(*) FROM joined_errors") == [(0,)]
    script.down = None
    found = eventually(database, "SELECT * FROM joined ORDER BY id", lambda found: len(found) == 2)
    assert found == [(1, "one"), (2, None)]
    assert eventually(database, STATUS, lambda found: found[0][1] == 0) == [(0, 0, None)]


def test_one_bad_key_does_not_keep_the_others_of_its_batch(database: Database, script: Scripted) -> None:
    script.rows += [{"k": k, "v": str(k)} for k in range(100)]
    script.bad = {37}
    make(database)
    database.execute("INSERT INTO s SELECT k, k FROM generate_series(0, 99) AS g(k)")
    eventually(database, "SELECT count(*) FROM joined", lambda found: found == [(99,)])
    assert rows(database, STATUS) == [(1, 1, "cannot read [37]")]
    script.bad = set()
    eventually(database, "SELECT count(*) FROM joined", lambda found: found == [(100,)])
    assert rows(database, STATUS) == [(0, 0, None)]


def test_a_key_that_two_rows_have_is_refused_not_guessed(database: Database, script: Scripted) -> None:
    script.rows += [{"k": 1, "v": "one"}, {"k": 2, "v": "two"}, {"k": 2, "v": "zwei"}]
    make(database)
    database.execute("INSERT INTO s VALUES (1, 1), (2, 2)")
    assert eventually(database, "SELECT * FROM joined", bool) == [(1, "one")]
    assert rows(database, STATUS) == [(1, 1, 'lookup table "dim" has more than one row with (k)=(2)')]
    script.rows.pop()
    assert eventually(database, "SELECT * FROM joined WHERE id = 2", bool) == [(2, "two")]


def test_a_broken_table_keeps_no_other_waiting(database: Database, script: Scripted) -> None:
    """More requests fail than there are threads; another table is answered all the same."""
    script.down = "gone"
    make(database)
    with connector(Scripted({"k": 1, "v": "fine"}), "sound"):
        database.execute("CREATE LOOKUP TABLE good (k int PRIMARY KEY, v text) WITH (connector = 'sound')")
        database.execute("CREATE MATERIALIZED VIEW well AS SELECT good.v FROM s JOIN good ON good.k = s.k")
        for k in range(10, 30):
            database.execute(f"INSERT INTO s VALUES ({k}, {k})")
        database.execute("INSERT INTO s VALUES (1, 1)")
        assert eventually(database, "SELECT * FROM well", bool) == [("fine",)]
        assert rows(database, "SELECT * FROM joined") == []
        database.execute("DROP MATERIALIZED VIEW well; DROP LOOKUP TABLE good")
    script.down = None


def test_a_row_taken_back_while_it_waits_is_never_seen(database: Database, script: Scripted) -> None:
    script.rows.append({"k": 1, "v": "one"})
    make(database, "TABLE")
    script.gate.clear()
    database.execute("INSERT INTO s VALUES (1, 1), (2, 1)")
    assert script.begun.wait(20)
    database.execute("DELETE FROM s WHERE id = 1")
    script.gate.set()
    assert eventually(database, "SELECT * FROM joined", bool) == [(2, "one")]
    database.execute("DELETE FROM s")
    assert rows(database, "SELECT * FROM joined") == []


def test_what_a_row_met_is_what_its_deletion_takes_back(database: Database, script: Scripted) -> None:
    script.rows.append({"k": 1, "v": "old"})
    database.execute(
        "CREATE LOOKUP TABLE dim (k int PRIMARY KEY, v text) WITH (connector = 'scripted', cache.ttl = '1ms')"
    )
    database.execute("CREATE TABLE s (id int PRIMARY KEY, k int)")
    database.execute("CREATE MATERIALIZED VIEW joined AS SELECT s.id, dim.v FROM s JOIN dim ON dim.k = s.k")
    database.execute("CREATE MATERIALIZED VIEW per_value AS SELECT v, count(*) AS n FROM joined GROUP BY v")
    database.execute("INSERT INTO s VALUES (1, 1)")
    eventually(database, "SELECT * FROM joined", bool)
    script.rows = [{"k": 1, "v": "new"}]
    database.execute("INSERT INTO s VALUES (2, 1)")
    eventually(database, "SELECT * FROM joined WHERE id = 2", bool)
    eventually(database, "SELECT * FROM per_value ORDER BY v", [("new", 1), ("old", 1)].__eq__)
    database.execute("UPDATE s SET id = 3 WHERE id = 1")
    eventually(database, "SELECT * FROM per_value", lambda found: found == [("new", 2)])
    script.rows = []
    database.execute("DELETE FROM s")
    assert rows(database, "SELECT * FROM joined") == []
    assert rows(database, "SELECT * FROM per_value") == []


def test_an_answer_for_a_view_that_is_gone_is_not_given_to_its_successor(database: Database, script: Scripted) -> None:
    """The second view of the name asks for other columns; the late answer has none of them."""
    script.rows.append({"k": 1, "v": "one", "w": "uno"})
    database.execute("CREATE LOOKUP TABLE dim (k int PRIMARY KEY, v text, w text) WITH (connector = 'scripted')")
    database.execute("CREATE TABLE s (k int)")
    database.execute("CREATE MATERIALIZED VIEW joined AS SELECT dim.v AS x FROM s JOIN dim ON dim.k = s.k")
    script.gate.clear()
    database.execute("INSERT INTO s VALUES (1)")
    assert script.begun.wait(20)
    database.execute("DROP MATERIALIZED VIEW joined")
    database.execute("CREATE MATERIALIZED VIEW joined AS SELECT dim.w AS x FROM s JOIN dim ON dim.k = s.k")
    script.gate.set()
    assert eventually(database, "SELECT * FROM joined", bool) == [("uno",)]
    assert rows(database, "SELECT state, error FROM constellation.jobs") == [("running", None)]


def test_after_a_restart_old_rows_keep_their_answers_and_open_questions_are_asked_again(tmp_path: Path) -> None:
    with connector(Scripted({"k": 1, "v": "first"})) as script:
        with constellationdb.connect(tmp_path / "d") as database:
            make(database)
            database.execute("INSERT INTO s VALUES (1, 1)")
            eventually(database, "SELECT * FROM joined", bool)
            script.down = "away"
            database.execute("INSERT INTO s VALUES (2, 2)")
            eventually(database, STATUS, lambda found: found[0][2] is not None)
        script.rows, script.down = [{"k": 1, "v": "second"}, {"k": 2, "v": "two"}], None
        script.asked.clear()
        with constellationdb.connect(tmp_path / "d") as database:
            assert rows(database, "SELECT * FROM joined WHERE id = 1") == [(1, "first")]
            assert eventually(database, "SELECT * FROM joined WHERE id = 2", bool) == [(2, "two")]
            assert script.keys == [2]
            database.execute("INSERT INTO s VALUES (3, 1)")
            assert rows(database, "SELECT * FROM joined WHERE id = 3") == [(3, "first")]
