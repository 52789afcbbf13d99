"""Copies of lookup tables: filled with their definition, following their source, the same after a restart."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import constellationdb
from constellationdb import errors
from constellationdb.embedded import Database
from tests.unit.lookups.conftest import eventually, rows


def rewrite(path: Path, text: str) -> None:
    """The file as a whole, and never half of it."""
    path.with_suffix(".new").write_text(text)
    os.replace(path.with_suffix(".new"), path)


@pytest.fixture
def sectors(tmp_path: Path) -> Path:
    path = tmp_path / "sectors.csv"
    rewrite(path, "k,v\n1,one\n2,two\n")
    return path


def table(path: Path, name: str = "d") -> str:
    return (
        f"CREATE LOOKUP TABLE {name} (k int PRIMARY KEY, v text)"
        f" WITH (connector = 'file', path = '{path}', cache.ttl = '50ms')"
    )


def test_a_copy_is_filled_in_the_epoch_that_defines_it(database: Database, sectors: Path) -> None:
    """Table, rows, copy and view in one transaction: the view's first answer has met the whole copy."""
    database.execute("BEGIN")
    database.execute("CREATE TABLE s (id int PRIMARY KEY, k int)")
    database.execute("INSERT INTO s VALUES (1, 1), (2, 2), (3, 3)")
    database.execute(table(sectors))
    database.execute("CREATE MATERIALIZED VIEW j AS SELECT s.id, d.v FROM s LEFT JOIN d ON d.k = s.k")
    database.execute("COMMIT")
    assert rows(database, "SELECT * FROM j ORDER BY id") == [(1, "one"), (2, "two"), (3, None)]
    assert rows(database, "SELECT * FROM d ORDER BY k") == [(1, "one"), (2, "two")]


def test_a_copy_that_was_rolled_back_is_not_there(database: Database, sectors: Path) -> None:
    database.execute("BEGIN")
    database.execute(table(sectors))
    database.execute("SAVEPOINT here")
    database.execute(table(sectors, "other"))
    database.execute("ROLLBACK TO here")
    with pytest.raises(errors.ReadsOwnWritesThroughView, match='lookup table "d" was created in this transaction'):
        database.execute("SELECT * FROM d")
    database.execute("ROLLBACK TO here")
    database.execute("COMMIT")
    assert rows(database, "SELECT name FROM constellation.lookups") == [("d",)]
    assert rows(database, "SELECT * FROM d ORDER BY k") == [(1, "one"), (2, "two")]


def test_or_replace_takes_the_rows_of_the_new_source(database: Database, sectors: Path, tmp_path: Path) -> None:
    database.execute(table(sectors))
    other = tmp_path / "other.csv"
    rewrite(other, "k,v\n9,nine\n")
    database.execute(table(other).replace("CREATE", "CREATE OR REPLACE"))
    assert rows(database, "SELECT * FROM d") == [(9, "nine")]


def test_a_changed_file_changes_later_rows_only(database: Database, sectors: Path) -> None:
    database.execute(table(sectors))
    database.execute("CREATE TABLE s (id int PRIMARY KEY, k int)")
    database.execute("CREATE MATERIALIZED VIEW j AS SELECT s.id, d.v FROM s LEFT JOIN d ON d.k = s.k")
    database.execute("INSERT INTO s VALUES (1, 1), (2, 2), (3, 3)")
    rewrite(sectors, "k,v\n1,uno\n3,tres\n")
    eventually(database, "SELECT * FROM d ORDER BY k", lambda found: found == [(1, "uno"), (3, "tres")])
    before = [(1, "one"), (2, "two"), (3, None)]
    assert rows(database, "SELECT * FROM j ORDER BY id") == before
    database.execute("INSERT INTO s VALUES (4, 1), (5, 2), (6, 3)")
    after = [(4, "uno"), (5, None), (6, "tres")]
    assert rows(database, "SELECT * FROM j ORDER BY id") == before + after
    database.execute("DELETE FROM s")
    assert rows(database, "SELECT * FROM j") == []


def test_a_bad_version_leaves_the_copy_and_says_why(database: Database, sectors: Path) -> None:
    database.execute(table(sectors))
    trouble = "SELECT error FROM constellation.lookups"
    rewrite(sectors, "k,v\n1,one\n1,eins\n")
    (said,) = eventually(database, trouble, lambda found: found[0][0] is not None)
    assert said == ('lookup table "d" has more than one row with (k)=(1)',)
    assert rows(database, "SELECT * FROM d ORDER BY k") == [(1, "one"), (2, "two")]
    rewrite(sectors, "k,v\n1,eins\n")
    eventually(database, trouble, lambda found: found == [(None,)])
    assert rows(database, "SELECT * FROM d") == [(1, "eins")]


def test_a_first_version_that_is_bad_defines_nothing(database: Database, sectors: Path) -> None:
    rewrite(sectors, "k,v\n1,one\n1,eins\n")
    with pytest.raises(errors.UniqueViolation):
        database.execute(table(sectors))
    assert rows(database, "SELECT * FROM constellation.lookups") == []


def test_after_a_restart_the_copy_is_what_it_was_without_its_file(sectors: Path, tmp_path: Path) -> None:
    with constellationdb.connect(tmp_path / "data") as database:
        database.execute(table(sectors))
        database.execute("CREATE TABLE s (id int PRIMARY KEY, k int)")
        database.execute("CREATE MATERIALIZED VIEW j AS SELECT s.id, d.v FROM s LEFT JOIN d ON d.k = s.k")
        database.execute("INSERT INTO s VALUES (1, 1)")
        rewrite(sectors, "k,v\n1,uno\n")
        eventually(database, "SELECT * FROM d", lambda found: found == [(1, "uno")])
        database.execute("INSERT INTO s VALUES (2, 1)")
    sectors.unlink()
    with constellationdb.connect(tmp_path / "data") as database:
        assert rows(database, "SELECT * FROM j ORDER BY id") == [(1, "one"), (2, "uno")]
        database.execute("INSERT INTO s VALUES (3, 1)")
        assert rows(database, "SELECT * FROM j WHERE id = 3") == [(3, "uno")]
        eventually(database, "SELECT error FROM constellation.lookups", lambda found: found[0][0] is not None)
        assert rows(database, "SELECT * FROM d") == [(1, "uno")]
        database.execute("DELETE FROM s WHERE id = 1")
        assert rows(database, "SELECT * FROM j ORDER BY id") == [(2, "uno"), (3, "uno")]
