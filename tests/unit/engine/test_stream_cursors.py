"""Cursors over SUBSCRIBE and continuous queries: what comes is fetched in order, and nothing is lost on the way."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from constellationdb.engine.contents import AppendedRows
from constellationdb.engine.engine import Engine
from constellationdb.engine.session import Session
from constellationdb.errors import InvalidCursorDefinition, QueryCanceled, ScrollRefused
from tests.unit.engine.statements import run


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine() as started:
        run(started.session(), "CREATE TABLE t (id int PRIMARY KEY, v int)", "CREATE SOURCE s (v int)")
        yield started


def fetched(session: Session, text: str) -> list[object]:
    """The last column of each row."""
    return [row[-1] for row in run(session, text)]


def insert(engine: Engine, *values: int) -> None:
    rows = ", ".join(f"({value}, {value * 10})" for value in values)
    run(engine.session(), f"INSERT INTO t VALUES {rows}")


def test_fetch_takes_so_many_and_the_rest_waits(engine: Engine) -> None:
    insert(engine, 1, 2, 3)
    session = engine.session()
    run(session, "BEGIN", "DECLARE c CURSOR FOR SUBSCRIBE t")
    assert fetched(session, "FETCH 2 FROM c") == [10, 20]
    assert fetched(session, "FETCH 2 FROM c") == [30], "without a timeout what is there is enough"
    insert(engine, 4)
    insert(engine, 5)
    assert fetched(session, "FETCH 2 FROM c WITH (timeout = '20s')") == [40, 50]
    assert fetched(session, "FETCH ALL FROM c WITH (timeout = '0s')") == []
    insert(engine, 6)
    assert fetched(session, "FETCH NEXT c") == [60], "without a timeout it waits for a row"


def test_it_begins_when_it_is_declared(engine: Engine) -> None:
    insert(engine, 1)
    session = engine.session()
    run(session, "DECLARE c CURSOR WITH HOLD FOR SUBSCRIBE t", "UPDATE t SET v = 11 WHERE id = 1")
    rows = run(session, "FETCH 3 c WITH (timeout = '20s')")
    assert [(diff, v) for _, diff, _, v in rows] == [(1, 10), (-1, 10), (1, 11)]


def test_a_timeout_answers_with_what_came(engine: Engine) -> None:
    insert(engine, 1)
    session = engine.session()
    run(session, "BEGIN", "DECLARE c CURSOR FOR SUBSCRIBE t")
    assert fetched(session, "FETCH 100 FROM c WITH (timeout = '50ms')") == [10]
    assert fetched(session, "FETCH 100 FROM c WITH (timeout = '50ms')") == []


def test_move_skips(engine: Engine) -> None:
    insert(engine, 1, 2, 3, 4)
    session = engine.session()
    run(session, "BEGIN", "DECLARE c CURSOR FOR SUBSCRIBE t")
    (result,) = session.execute("MOVE 2 c")
    assert result.tag(0) == "MOVE 2"
    assert fetched(session, "FETCH RELATIVE 2 c") == [40]


@pytest.mark.parametrize("text", ["FETCH PRIOR c", "FETCH 0 c", "FETCH ABSOLUTE 1 c", "FETCH BACKWARD ALL c"])
def test_a_stream_goes_one_way(engine: Engine, text: str) -> None:
    session = engine.session()
    run(session, "BEGIN", "DECLARE c CURSOR FOR SUBSCRIBE t")
    with pytest.raises(ScrollRefused, match="cursor can only scan forward"):
        run(session, text)


def test_it_cannot_be_declared_to_scroll(engine: Engine) -> None:
    session = engine.session()
    with pytest.raises(InvalidCursorDefinition):
        run(session, "BEGIN", "DECLARE c SCROLL CURSOR FOR SUBSCRIBE t")


def test_a_cancelled_fetch_loses_nothing(engine: Engine) -> None:
    """Rows that it had gathered already are the next one's first."""
    insert(engine, 1, 2)
    session = engine.session()
    run(session, "DECLARE c CURSOR WITH HOLD FOR SUBSCRIBE t")
    waiting = threading.Event()

    def cancel_when_it_waits() -> None:
        while session.cancelled.bell is None:
            waiting.wait(0.01)
        session.cancel()

    thread = threading.Thread(target=cancel_when_it_waits)
    thread.start()
    with pytest.raises(QueryCanceled, match="due to user request"):
        run(session, "FETCH 5 FROM c WITH (timeout = '100s')")
    thread.join()
    insert(engine, 3)
    assert fetched(session, "FETCH 3 FROM c WITH (timeout = '20s')") == [10, 20, 30]


def test_one_that_ran_into_its_timeout_loses_nothing(engine: Engine) -> None:
    insert(engine, 1)
    session = engine.session()
    run(session, "SET statement_timeout = '100ms'", "DECLARE c CURSOR WITH HOLD FOR SUBSCRIBE t")
    for _ in range(2):
        with pytest.raises(QueryCanceled, match="due to statement timeout"):
            run(session, "FETCH 5 FROM c WITH (timeout = '100s')")
    assert fetched(session, "FETCH c") == [10]


def test_a_savepoint_keeps_the_cursor_of_a_cancelled_fetch(engine: Engine) -> None:
    insert(engine, 1)
    session = engine.session()
    run(session, "BEGIN", "DECLARE c CURSOR FOR SUBSCRIBE t", "SAVEPOINT s", "SET LOCAL statement_timeout = '100ms'")
    with pytest.raises(QueryCanceled):
        run(session, "FETCH 5 FROM c WITH (timeout = '100s')")
    run(session, "ROLLBACK TO s")
    assert run(session, "SHOW statement_timeout") == [("0",)]
    assert fetched(session, "FETCH c") == [10]


def test_a_held_stream_outlives_its_transaction_and_another_does_not(engine: Engine) -> None:
    insert(engine, 1)
    session = engine.session()
    run(
        session,
        "BEGIN",
        "DECLARE kept CURSOR WITH HOLD FOR SUBSCRIBE t",
        "DECLARE gone CURSOR FOR SUBSCRIBE t",
        "COMMIT",
    )
    assert "gone" not in session.portals
    insert(engine, 2)
    assert fetched(session, "FETCH 2 kept WITH (timeout = '20s')") == [10, 20]
    run(session, "BEGIN", "ROLLBACK")
    insert(engine, 3)
    assert fetched(session, "FETCH kept") == [30]


def test_a_cursor_over_a_continuous_query_ends_its_job_when_it_is_closed(engine: Engine) -> None:
    session = engine.session()
    before = set(engine.jobs)
    run(
        session,
        "BEGIN",
        "DECLARE c CURSOR FOR SELECT v * 2 AS v FROM s",
        "DECLARE d CURSOR FOR SUBSCRIBE (SELECT v FROM s)",
    )
    started = set(engine.jobs) - before
    assert len(started) == 2
    run(engine.session(), "INSERT INTO s VALUES (1), (2)")
    assert fetched(session, "FETCH 2 c WITH (timeout = '20s')") == [2, 4]
    assert fetched(session, "FETCH 2 d WITH (timeout = '20s')") == [1, 2]
    run(session, "CLOSE c")
    assert len(set(engine.jobs) - before) == 1
    run(session, "COMMIT")
    assert set(engine.jobs) == before


def test_a_limit_ends_it(engine: Engine) -> None:
    session = engine.session()
    run(session, "BEGIN", "DECLARE c CURSOR FOR SELECT v FROM s LIMIT 2")
    run(engine.session(), "INSERT INTO s VALUES (1), (2), (3)")
    assert fetched(session, "FETCH ALL c WITH (timeout = '20s')") == [1, 2]
    assert fetched(session, "FETCH c") == []


def test_a_continuous_query_keeps_no_rows_that_were_read(engine: Engine) -> None:
    session = engine.session()
    run(session, "BEGIN", "DECLARE c CURSOR FOR SELECT v FROM s")
    for value in range(20):
        run(engine.session(), f"INSERT INTO s VALUES ({value})")
        assert fetched(session, "FETCH 1 FROM c") == [value]
    (job,) = [job for name, job in engine.jobs.items() if name.startswith("#query")]
    contents = job.outputs.view.contents
    assert isinstance(contents, AppendedRows)
    assert sum(chunk.rows.num_rows for chunk in contents.version.chunks) <= 2
