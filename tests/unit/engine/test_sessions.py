"""Sessions see each other, stop each other, and end when they rest for too long."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from constellationdb.engine.engine import Engine
from constellationdb.engine.session import Session
from constellationdb.engine.sessions import Client, activity_rows
from constellationdb.errors import ConstellationError, InvalidParameter, QueryCanceled, ShuttingDown
from tests.unit.engine.statements import run


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine() as started:
        yield started


class Told:
    """What a session's client is told at its end."""

    def __init__(self, session: Session) -> None:
        self.reason: ConstellationError | None = None
        self._told = threading.Event()
        session.on_terminate = self._tell

    def _tell(self, reason: ConstellationError) -> None:
        self.reason = reason
        self._told.set()

    def wait(self) -> ConstellationError:
        assert self._told.wait(20)
        assert self.reason is not None
        return self.reason


def activity(engine: Engine, session: Session) -> dict[str, object]:
    (row,) = [row for row in activity_rows(engine) if row["pid"] == session.pid]
    return row


def test_a_session_is_seen_while_it_lives(engine: Engine) -> None:
    session = engine.session("ann", settings={"application_name": "shop"}, client=Client("127.0.0.1", 4711))
    row = activity(engine, session)
    assert (row["usename"], row["application_name"], row["client_addr"], row["client_port"]) == (
        "ann",
        "shop",
        "127.0.0.1",
        4711,
    )
    assert (row["state"], row["query"], row["xact_start"]) == ("idle", "", None)
    session.close()
    assert not [row for row in activity_rows(engine) if row["pid"] == session.pid]


def test_its_state_follows_what_it_does(engine: Engine) -> None:
    session = engine.session()
    run(session, "BEGIN")
    assert activity(engine, session)["state"] == "idle in transaction"
    assert activity(engine, session)["xact_start"] is not None
    with pytest.raises(ConstellationError):
        run(session, "SELECT 1 / 0")
    row = activity(engine, session)
    assert (row["state"], row["query"]) == ("idle in transaction (aborted)", "SELECT 1 / 0")
    run(session, "ROLLBACK")
    assert activity(engine, session)["state"] == "idle"
    running = session.execute("SELECT 1")
    next(running)
    assert activity(engine, session)["state"] == "active"
    list(running)
    assert activity(engine, session)["state"] == "idle"


def test_pg_stat_activity_shows_every_session(engine: Engine) -> None:
    one, other = engine.session("ann"), engine.session("bob")
    run(other, "BEGIN")
    rows = run(one, "SELECT pid, usename, state FROM pg_stat_activity ORDER BY pid")
    assert rows == [(one.pid, "ann", "active"), (other.pid, "bob", "idle in transaction")]
    assert run(one, "SELECT pg_backend_pid()") == [(one.pid,)]


def test_one_session_cancels_anothers_statement(engine: Engine) -> None:
    waiting, other = engine.session(), engine.session()
    run(other, "CREATE TABLE t (a int)")
    failed: list[ConstellationError] = []

    def subscribe() -> None:
        try:
            run(waiting, "SUBSCRIBE t")
        except ConstellationError as error:
            failed.append(error)

    thread = threading.Thread(target=subscribe)
    thread.start()
    while waiting.cancelled.bell is None:
        threading.Event().wait(0.01)
    assert run(other, f"SELECT pg_cancel_backend({waiting.pid})") == [(True,)]
    thread.join()
    assert isinstance(failed[0], QueryCanceled)
    assert run(waiting, "SELECT 1") == [(1,)]


def test_one_session_ends_another(engine: Engine) -> None:
    victim, other = engine.session(), engine.session()
    told = Told(victim)
    assert run(other, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = {victim.pid}") == [(True,)]
    assert told.wait().message == "terminating connection due to administrator command"
    with pytest.raises(ShuttingDown):
        run(victim, "SELECT 1")


def test_nobody_is_cancelled_by_a_wrong_number(engine: Engine) -> None:
    session = engine.session()
    (result,) = session.execute("SELECT pg_cancel_backend(99999)")
    assert [(notice.severity, notice.sqlstate, notice.message) for notice in result.notices] == [
        ("WARNING", "01000", "PID 99999 is not a PostgreSQL backend process")
    ]


@pytest.mark.parametrize(
    ("before", "setting", "sqlstate", "message"),
    [
        ("SELECT 1", "idle_session_timeout", "57P05", "terminating connection due to idle-session timeout"),
        (
            "BEGIN",
            "idle_in_transaction_session_timeout",
            "25P03",
            "terminating connection due to idle-in-transaction timeout",
        ),
    ],
)
def test_a_session_that_rests_too_long_is_ended(
    engine: Engine, before: str, setting: str, sqlstate: str, message: str
) -> None:
    session = engine.session()
    told = Told(session)
    run(session, f"SET {setting} = '50ms'", before)
    reason = told.wait()
    assert (reason.sqlstate, reason.message) == (sqlstate, message)


def test_work_is_no_rest_and_a_timeout_can_be_taken_back(engine: Engine) -> None:
    session = engine.session()
    run(session, "CREATE TABLE t (a int)", "SET idle_session_timeout = '50ms'", "SET statement_timeout = '200ms'")
    with pytest.raises(QueryCanceled):
        run(session, "SUBSCRIBE t")
    assert session.terminated is None
    run(session, "RESET ALL")
    assert session.terminated is None
    threading.Event().wait(0.2)
    assert session.terminated is None


def test_reads_and_inserts_that_take_no_time_are_seen_as_well(engine: Engine) -> None:
    session = engine.session()
    run(session, "CREATE TABLE t (id int PRIMARY KEY, v int)", "INSERT INTO t VALUES (1, 2)")
    read = session.prepare("SELECT v FROM t WHERE id = $1", (23,))
    (batch,) = session.execute_prepared(read, ("1",)).batches
    session.sync()
    assert batch.to_pylist() == [{"v": 2}]
    assert (activity(engine, session)["query"], activity(engine, session)["state"]) == (read.sql, "idle")


def test_an_empty_query_can_be_prepared(engine: Engine) -> None:
    """Drivers ask for it to see whether anybody is there."""
    session = engine.session()
    result = session.execute_prepared(session.prepare("", ()), ())
    assert result.empty_query


def test_a_backend_that_does_not_go_in_time_is_told_of(engine: Engine) -> None:
    victim, other = engine.session(), engine.session()
    (result,) = other.execute(f"SELECT pg_terminate_backend({victim.pid}, 20)")
    assert [tuple(row.values()) for batch in result.batches for row in batch.to_pylist()] == [(False,)]
    (notice,) = result.notices
    assert (notice.severity, notice.message) == (
        "WARNING", f"backend with PID {victim.pid} did not terminate within 20 milliseconds",
    )  # fmt: skip
    with pytest.raises(InvalidParameter, match='"timeout" must not be negative'):
        list(other.execute(f"SELECT pg_terminate_backend({victim.pid}, -1)"))
