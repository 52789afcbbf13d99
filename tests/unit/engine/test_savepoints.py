"""Savepoints: checkpoints with a name, until the name is dropped."""

from __future__ import annotations

from pathlib import Path

import pytest

from constellationdb.engine.engine import Engine
from constellationdb.engine.session import Session
from constellationdb.errors import (
    ActiveTransaction,
    DuplicateObject,
    FeatureNotSupported,
    ObjectNotReady,
    ReadOnlyTransaction,
    SqlSyntaxError,
    UndefinedObject,
)
from tests.unit.engine.statements import run

_NAMES = "SELECT name, epoch FROM constellation.checkpoints WHERE name IS NOT NULL ORDER BY epoch, name"


def _notices(session: Session, text: str) -> list[str]:
    (result,) = session.execute(text)
    return [notice.message for notice in result.notices]


def test_a_savepoint_stays_when_other_checkpoints_go(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine:
        session = engine.session()
        run(session, "CREATE TABLE t (a int PRIMARY KEY)", "INSERT INTO t VALUES (1)", "CREATE SAVEPOINT Before")
        ((name, epoch),) = run(session, _NAMES)
        assert name == "before"
        for value in range(2, 8):
            run(session, f"INSERT INTO t VALUES ({value})", "CHECKPOINT")
        assert run(session, _NAMES) == [("before", epoch)]
        assert len(engine.durability.checkpoints()) == 4
    with Engine(tmp_path) as engine:
        session = engine.session()
        assert run(session, _NAMES) == [("before", epoch)]
        run(session, "DROP SAVEPOINT before", "INSERT INTO t VALUES (8)", "CHECKPOINT")
        assert run(session, _NAMES) == []
        assert len(engine.durability.checkpoints()) == 3


def test_two_savepoints_of_one_moment_share_a_checkpoint(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine:
        session = engine.session()
        run(session, "CREATE TABLE t (a int)", "CREATE SAVEPOINT a", 'CREATE SAVEPOINT "b.tmp/…"')
        (first, second) = run(session, _NAMES)
        assert (first[0], second[0]) == ("a", "b.tmp/…")
        assert first[1] == second[1]


def test_the_checkpoints_say_what_they_hold(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine:
        session = engine.session()
        run(session, "CREATE TABLE t (a int)", "INSERT INTO t VALUES (1)", "CHECKPOINT", "CHECKPOINT")
        query = """SELECT name, damage, epoch > 0 AND taken > '2024-01-01' AND parts > 0 AND bytes > 0 AND seconds > 0
                   AND bytes_written = bytes AS full FROM constellation.checkpoints"""
        assert run(session, query) == [(None, None, True)]


def test_what_cannot_be(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine:
        session = engine.session()
        with pytest.raises(ObjectNotReady, match="nothing has happened yet"):
            run(session, "CREATE SAVEPOINT a")
        run(session, "CREATE TABLE t (a int)", "CREATE SAVEPOINT a")
        with pytest.raises(DuplicateObject, match='savepoint "a" already exists'):
            run(session, "CREATE SAVEPOINT a")
        assert _notices(session, "CREATE SAVEPOINT IF NOT EXISTS a") == ['savepoint "a" already exists, skipping']
        with pytest.raises(UndefinedObject, match='savepoint "b" does not exist'):
            run(session, "DROP SAVEPOINT b")
        assert _notices(session, "DROP SAVEPOINT IF EXISTS b") == ['savepoint "b" does not exist, skipping']
        for text, position in [
            ("CREATE SAVEPOINT", 17),
            ("CREATE SAVEPOINT a b", 20),
            ("DROP SAVEPOINT a, b", 17),
            ("CREATE SAVEPOINT select", 18),
        ]:
            with pytest.raises(SqlSyntaxError) as wrong:
                run(session, text)
            assert wrong.value.position == position, text
        run(session, "SET default_transaction_read_only = on")
        with pytest.raises(ReadOnlyTransaction, match="cannot execute CREATE SAVEPOINT in a read-only transaction"):
            run(session, "CREATE SAVEPOINT c")


def test_a_transactions_savepoint_is_something_else(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine:
        session = engine.session()
        run(session, "CREATE TABLE savepoint (a int)", "BEGIN", "SAVEPOINT a", "INSERT INTO savepoint VALUES (1)")
        with pytest.raises(ActiveTransaction, match="CREATE SAVEPOINT cannot run inside a transaction block"):
            run(session, "CREATE SAVEPOINT a")
        run(session, "ROLLBACK TO a", "RELEASE a", "COMMIT")
        assert run(session, "SELECT * FROM savepoint") == []
        assert run(session, _NAMES) == []
        run(session, "DROP TABLE savepoint")


def test_without_a_directory_there_are_none() -> None:
    with Engine() as engine, pytest.raises(FeatureNotSupported, match="no checkpoints without a data directory"):
        run(engine.session(), "CREATE SAVEPOINT a")
