"""Temporary tables are their session's alone, and go with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from constellationdb.engine.engine import Engine
from constellationdb.errors import DuplicateRelation, FeatureNotSupported, UndefinedRelation
from tests.unit.engine.statements import run


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine() as started:
        yield started


def test_two_sessions_have_tables_of_one_name(engine: Engine) -> None:
    one, other = engine.session(), engine.session()
    for session, value in ((one, 1), (other, 2)):
        run(session, "CREATE TEMP TABLE t (a int PRIMARY KEY)", f"INSERT INTO t VALUES ({value})")
    assert run(one, "SELECT a FROM t") == [(1,)]
    assert run(other, "SELECT t.a FROM t") == [(2,)]
    with pytest.raises(UndefinedRelation):
        run(engine.session(), "SELECT * FROM t")
    one.close()
    assert run(other, "UPDATE t SET a = t.a + 1 RETURNING a") == [(3,)]
    other.close()
    assert not engine.catalog.relations


def test_it_hides_the_table_of_that_name(engine: Engine) -> None:
    session = engine.session()
    run(session, "CREATE TABLE t (a int)", "INSERT INTO t VALUES (1)")
    prepared = session.prepare("SELECT a FROM t")
    run(session, "CREATE TEMP TABLE t (a int)")
    assert run(session, "SELECT a FROM t") == []
    (*rows,) = session.execute_prepared(prepared, ()).batches
    assert not [row for batch in rows for row in batch.to_pylist()]
    session.sync()
    assert run(session, "SELECT a FROM public.t", 'INSERT INTO "public"."t" VALUES (2)') == []
    assert run(session, "SELECT a FROM public.t") == run(engine.session(), "SELECT a FROM t") == [(1,), (2,)]
    run(session, "DELETE FROM public.t WHERE t.a = 2")
    run(session, "INSERT INTO t VALUES (5)", "TRUNCATE t", "INSERT INTO pg_temp.t VALUES (6)")
    assert run(session, "SELECT a FROM pg_temp.t") == [(6,)]
    run(session, "DROP TABLE t")
    assert run(session, "SELECT a FROM t") == [(1,)]


def test_a_rollback_takes_it_back(engine: Engine) -> None:
    session = engine.session()
    run(session, "BEGIN", "CREATE TEMP TABLE t (a int)", "INSERT INTO t VALUES (1)")
    assert run(session, "SELECT * FROM t") == [(1,)]
    run(session, "ROLLBACK")
    with pytest.raises(UndefinedRelation):
        run(session, "SELECT * FROM t")


def test_it_has_changes_like_any_table(engine: Engine) -> None:
    session = engine.session()
    run(session, "CREATE TEMP TABLE t (a int)", "INSERT INTO t VALUES (1)")
    run(session, "BEGIN", "DECLARE c CURSOR FOR SUBSCRIBE t")
    assert [row[-1] for row in run(session, "FETCH c")] == [1]


def test_what_stays_cannot_be_made_of_it(engine: Engine) -> None:
    session = engine.session()
    run(session, "CREATE TEMP TABLE t (a int)")
    with pytest.raises(FeatureNotSupported, match="must not use temporary tables"):
        run(session, "CREATE MATERIALIZED VIEW v AS SELECT * FROM t")
    run(session, "CREATE VIEW v AS SELECT * FROM t")
    assert run(session, "SELECT * FROM v") == []
    with pytest.raises(UndefinedRelation):
        run(engine.session(), "SELECT * FROM v")
    with pytest.raises(DuplicateRelation, match='relation "t" already exists'):
        run(session, "CREATE TEMP TABLE t AS SELECT 1 AS a")


def test_delete_rows_at_commit_leaves_none_to_another_statement(engine: Engine) -> None:
    session = engine.session()
    run(session, "CREATE TEMP TABLE t (a int) ON COMMIT DELETE ROWS", "CREATE TABLE kept (a int)")
    run(session, "BEGIN", "INSERT INTO t VALUES (1)", "INSERT INTO kept SELECT a FROM t", "SAVEPOINT s")
    run(session, "INSERT INTO t VALUES (2)", "ROLLBACK TO s")
    assert run(session, "SELECT a FROM t") == [(1,)]
    run(session, "COMMIT")
    assert run(session, "SELECT count(*) FROM t") == [(0,)]
    assert run(session, "SELECT a FROM kept") == [(1,)]


def test_none_survives_its_process(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine:
        run(engine.session(), "CREATE TABLE pg_temp_kept (a int)", "CREATE TEMP TABLE t (a int)")
        run(engine.session(), "CREATE TEMP TABLE t (a int)", "CREATE VIEW v AS SELECT a FROM t")
        assert len(engine.catalog.relations) == 4
    with Engine(tmp_path) as engine:
        assert list(engine.catalog.relations) == ["pg_temp_kept"]
        run(engine.session(), "CREATE TEMP TABLE t (b text)")
