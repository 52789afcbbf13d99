"""CREATE INDEX: rows are found by its columns, at every epoch and after a restart, and EXPLAIN says so."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from constellationdb.engine.engine import Engine
from constellationdb.engine.session import Session
from constellationdb.errors import DuplicateRelation, UndefinedColumn, UndefinedObject, WrongObjectType
from tests.unit.engine.statements import run

_TABLE = "CREATE TABLE t (id int PRIMARY KEY, k int, s text)"


def _reading(session: Session, sql: str) -> str:
    return str(run(session, f"EXPLAIN {sql}")[0][0])


def _both(session: Session, relation: str, k: int) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """The rows of one key by the index, and by a plan."""
    asked = f"SELECT * FROM {relation} WHERE k = {k}"
    assert _reading(session, asked).startswith("Point read")
    return sorted(run(session, asked), key=repr), sorted(run(session, f"{asked} AND true"), key=repr)


@pytest.mark.parametrize("relation", ["t", "v", "one"])
def test_it_finds_what_a_plan_finds_at_every_epoch(relation: str) -> None:
    rng = random.Random(relation)
    with Engine() as engine:
        session = engine.session()
        run(session, _TABLE, "CREATE MATERIALIZED VIEW v AS SELECT k, s FROM t")
        run(session, "CREATE MATERIALIZED VIEW one AS SELECT id, k, s || '!' AS s FROM t WHERE id > 3")
        run(session, "INSERT INTO t SELECT i, i % 4, 'x' FROM generate_series(1, 12) AS i")
        run(session, f"CREATE INDEX i ON {relation} (k)")
        for number in range(40):
            place = rng.randrange(1, 13)
            value = rng.choice(["NULL", "0", "1", "2", "3"])
            run(session, f"UPDATE t SET k = {value}, s = '{number % 3}' WHERE id = {place}")
            if number % 7 == 0:
                run(session, f"DELETE FROM t WHERE id = {place}", f"INSERT INTO t VALUES ({place}, {value}, 'n')")
            found, planned = _both(session, relation, rng.randrange(5))
            assert found == planned


def test_rows_of_a_stream_are_found_too() -> None:
    with Engine() as engine:
        session = engine.session()
        run(session, "CREATE SOURCE s (k int, v text)", "CREATE MATERIALIZED VIEW v AS SELECT k, v FROM s")
        run(session, "INSERT INTO s VALUES (1, 'a'), (2, 'b'), (1, 'a'), (NULL, 'c')", "CREATE INDEX ON v (k)")
        run(session, "INSERT INTO s VALUES (1, 'd')")
        found, planned = _both(session, "v", 1)
        assert found == planned == [(1, "a"), (1, "a"), (1, "d")]


def test_columns_in_any_order_and_texts() -> None:
    with Engine() as engine:
        session = engine.session()
        run(session, _TABLE, "INSERT INTO t VALUES (1, 1, 'a'), (2, 1, 'b'), (3, NULL, 'a')")
        run(session, "CREATE INDEX i ON t (s, k)", "CREATE INDEX j ON t (s)")
        assert run(session, "SELECT id FROM t WHERE k = 1 AND s = 'b'") == [(2,)]
        assert sorted(run(session, "SELECT id FROM t WHERE s = 'a'")) == [(1,), (3,)]
        assert run(session, "SELECT id FROM t WHERE s = 'z'") == []
        assert _reading(session, "SELECT id FROM t WHERE s = 'a' AND k = 1").startswith("Point read")
        assert _reading(session, "SELECT id FROM t WHERE k = 1").startswith("Snapshot query")


def test_very_many_rows_of_one_value_are_all_there() -> None:
    with Engine() as engine:
        session = engine.session()
        run(
            session,
            _TABLE,
            "INSERT INTO t SELECT i, 7, 'x' FROM generate_series(1, 1000) AS i",
            "CREATE INDEX ON t (k)",
        )
        assert len(run(session, "SELECT id FROM t WHERE k = 7")) == 1000


def test_the_index_goes_with_drop_and_with_its_column() -> None:
    with Engine() as engine:
        session = engine.session()
        run(session, _TABLE, "CREATE INDEX i ON t (k)", "CREATE INDEX ON t (s)", "CREATE INDEX ON t (s)")
        names = "SELECT indexname FROM pg_indexes WHERE tablename = 't' ORDER BY 1"
        assert run(session, names) == [("i",), ("t_pkey",), ("t_s_idx",), ("t_s_idx1",)]
        assert run(session, "SELECT indexdef FROM pg_indexes WHERE indexname = 'i'") == [
            ("CREATE INDEX i ON public.t USING btree (k)",)
        ]
        with pytest.raises(DuplicateRelation, match='relation "i" already exists'):
            run(session, "CREATE INDEX i ON t (s)")
        run(session, "CREATE INDEX IF NOT EXISTS i ON t (s)", "DROP INDEX i")
        assert _reading(session, "SELECT id FROM t WHERE k = 1").startswith("Snapshot query")
        with pytest.raises(UndefinedObject, match='index "i" does not exist'):
            run(session, "DROP INDEX i")
        run(session, "ALTER TABLE t DROP COLUMN s")
        assert run(session, names) == [("t_pkey",)]


@pytest.mark.parametrize(
    ("sql", "error", "message"),
    [
        ("CREATE INDEX ON t (nothing)", UndefinedColumn, 'column "nothing" does not exist'),
        ("CREATE INDEX ON w (k)", WrongObjectType, 'cannot create index on relation "w"'),
    ],
)
def test_what_cannot_be_indexed(sql: str, error: type[Exception], message: str) -> None:
    with Engine() as engine:
        session = engine.session()
        run(session, _TABLE, "CREATE VIEW w AS SELECT k FROM t")
        with pytest.raises(error, match=message):
            run(session, sql)


def test_in_the_transaction_of_its_table() -> None:
    with Engine() as engine:
        session = engine.session()
        run(session, _TABLE, "INSERT INTO t VALUES (1, 1, 'a')", "BEGIN", "CREATE INDEX i ON t (k)")
        assert run(session, "SELECT id FROM t WHERE k = 1") == [(1,)]
        run(session, "INSERT INTO t VALUES (2, 1, 'b')", "COMMIT")
        assert sorted(run(session, "SELECT id FROM t WHERE k = 1")) == [(1,), (2,)]


@pytest.mark.parametrize("checkpoint", [True, False], ids=["checkpoint", "log"])
def test_after_a_restart(tmp_path: Path, checkpoint: bool) -> None:
    with Engine(tmp_path) as engine:
        session = engine.session()
        run(session, _TABLE, "CREATE SOURCE s (k int)", "CREATE MATERIALIZED VIEW v AS SELECT k FROM s")
        run(session, "INSERT INTO t VALUES (1, 1, 'a'), (2, 1, 'b')", "INSERT INTO s VALUES (1), (1), (2)")
        run(session, "CREATE INDEX i ON t (k)", "CREATE INDEX j ON v (k)", *(["CHECKPOINT"] if checkpoint else []))
    with Engine(tmp_path) as engine:
        session = engine.session()
        run(session, "INSERT INTO t VALUES (3, 1, 'c')", "INSERT INTO s VALUES (1)")
        for relation in "tv":
            found, planned = _both(session, relation, 1)
            assert found == planned
            assert len(found) == 3


def test_a_new_version_of_a_view_keeps_it() -> None:
    with Engine() as engine:
        session = engine.session()
        run(session, _TABLE, "CREATE MATERIALIZED VIEW v AS SELECT k, s FROM t", "CREATE INDEX i ON v (k)")
        run(session, "INSERT INTO t VALUES (1, 1, 'a'), (2, 1, 'b')", "FLUSH")
        run(session, "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT k, s || s AS s FROM t")
        assert _both(session, "v", 1)[0] == [(1, "aa"), (1, "bb")]
        run(session, "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT id, k FROM t WHERE k = 1")
        assert _both(session, "v", 1)[0] == [(1, 1), (2, 1)]
        run(session, "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT id FROM t")
        assert run(session, "SELECT indexname FROM pg_indexes WHERE tablename = 'v'") == []
