"""Sequences over crashes, restarts, transactions and several sessions: no value is given twice."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from constellationdb.engine.engine import Engine
from constellationdb.engine.session import Session
from constellationdb.errors import ConstellationError, ObjectNotReady, SequenceLimit
from tests.unit.engine.statements import run


def _next(session: Session, count: int = 1) -> list[object]:
    return [row[0] for row in run(session, f"SELECT nextval('s') FROM generate_series(1, {count})")]


def test_a_crash_gives_no_value_again(tmp_path: Path) -> None:
    given: list[object] = []
    folder = tmp_path / "0"
    for life in range(1, 4):
        with Engine(folder) as engine:
            session = engine.session()
            if life == 1:
                run(session, "CREATE SEQUENCE s", "CREATE TABLE t (id serial PRIMARY KEY, x int)")
            given += _next(session, life * 7)
            if life == 2:
                run(session, "CHECKPOINT")
                given += _next(session)
            run(session, "INSERT INTO t (x) SELECT 1 FROM generate_series(1, 40)")
            folder = Path(shutil.copytree(folder, tmp_path / str(life)))  # as a crash leaves it
    assert len(set(given)) == len(given)
    with Engine(folder) as engine:
        assert run(engine.session(), "SELECT count(DISTINCT id) AS ids, count(*) AS n FROM t") == [(120, 120)]
        run(engine.session(), "INSERT INTO t (x) VALUES (1)")


def test_a_clean_end_leaves_no_gap(tmp_path: Path) -> None:
    for expected in ([1, 2, 3], [4, 5, 6], [7, 8, 9]):
        with Engine(tmp_path / "db") as engine:
            session = engine.session()
            if expected[0] == 1:
                run(session, "CREATE SEQUENCE s")
            assert _next(session, 3) == expected


def test_where_a_sequence_was_set_is_kept(tmp_path: Path) -> None:
    with Engine(tmp_path / "db") as engine:
        run(engine.session(), "CREATE SEQUENCE s INCREMENT 5", "SELECT setval('s', 100)")
        copy = Path(shutil.copytree(tmp_path / "db", tmp_path / "crashed"))
    with Engine(copy) as engine:
        session = engine.session()
        assert _next(session) == [105]
        run(session, "ALTER SEQUENCE s RESTART WITH 7 INCREMENT 1")
        again = Path(shutil.copytree(copy, tmp_path / "again"))
    with Engine(again) as engine:
        assert _next(engine.session(), 2) == [7, 8]


def test_sessions_share_a_sequence_and_no_value() -> None:
    with Engine() as engine:
        run(engine.session(), "CREATE SEQUENCE s", "CREATE TABLE t (id int DEFAULT nextval('s'), x int)")
        found: list[object] = []

        def take() -> None:
            session = engine.session()
            for _ in range(20):
                found.extend(_next(session, 3))
                found.extend(row[0] for row in run(session, "INSERT INTO t (x) VALUES (1), (2) RETURNING id"))

        threads = [threading.Thread(target=take) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == len(set(found)) == 400


def test_what_a_transaction_took_stays_taken() -> None:
    with Engine() as engine:
        session = engine.session()
        run(session, "CREATE SEQUENCE s", "BEGIN")
        assert _next(session, 2) == [1, 2]
        run(session, "ROLLBACK")
        assert _next(session) == [3]
        assert run(session, "SELECT currval('s'), lastval()") == [(3, 3)]
        with pytest.raises(ObjectNotReady, match='currval of sequence "s" is not yet defined in this session'):
            run(engine.session(), "SELECT currval('s')")


def test_a_sequence_made_in_a_transaction_goes_on_behind_it() -> None:
    with Engine() as engine:
        session = engine.session()
        run(session, "BEGIN", "CREATE TABLE t (id bigserial, x int)", "INSERT INTO t (x) VALUES (1), (2)")
        run(session, "SAVEPOINT a", "INSERT INTO t (x) VALUES (3)", "ROLLBACK TO a", "COMMIT")
        assert run(session, "INSERT INTO t (x) VALUES (4) RETURNING id") == [(4,)]
        assert run(session, "SELECT id FROM t ORDER BY id") == [(1,), (2,), (4,)]


def test_the_end_of_a_sequence() -> None:
    with Engine() as engine:
        session = engine.session()
        run(session, "CREATE SEQUENCE s MAXVALUE 3", "CREATE SEQUENCE down INCREMENT -2 MINVALUE -3 START -1 CYCLE")
        assert _next(session, 3) == [1, 2, 3]
        with pytest.raises(SequenceLimit, match=r'reached maximum value of sequence "s" \(3\)'):
            _next(session)
        taken = run(session, "SELECT nextval('down') FROM generate_series(1, 4)")
        assert [row[0] for row in taken] == [-1, -3, -1, -3]


def test_copy_numbers_its_rows() -> None:
    with Engine() as engine:
        session = engine.session()
        run(session, "CREATE TABLE t (id serial, name text, upper text GENERATED ALWAYS AS (upper(name)) STORED)")
        (result,) = session.execute("COPY t (name) FROM STDIN")
        assert result.copy_in is not None
        result.copy_in.write(b"a\nb\n")
        result.copy_in.finish()
        assert run(session, "SELECT * FROM t ORDER BY id") == [(1, "a", "A"), (2, "b", "B")]
        with pytest.raises(ConstellationError, match='column "upper" is a generated column'):
            run(session, "COPY t (upper) FROM STDIN")
