"""Whoever sends rows to a source waits while the views over it have too much to do, and nobody else does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from constellationdb.engine.engine import Engine
from constellationdb.engine.job import Job
from constellationdb.errors import (
    ConstellationError,
    InternalError,
    InvalidParameter,
    QueryCanceled,
    SerializationFailure,
    ShuttingDown,
)
from constellationdb.server.listener import Server
from tests.unit.engine.statements import run

_FULL = "SELECT rows_waiting, senders_waiting FROM constellation.sources WHERE name = 's'"


class Standing:
    """A view ``v`` over a source ``s`` that takes no step until it ``goes``."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.stands = False

    def stand(self) -> None:
        self.stands = True

    def go(self) -> None:
        self.stands = False
        with self.engine.lock:
            self.engine.moved()

    def waits_for_senders(self, count: int) -> None:
        backlog = self.engine.sources["s"].backlog
        while backlog.senders < count:
            threading.Event().wait(0.005)


@pytest.fixture
def view(monkeypatch: pytest.MonkeyPatch) -> Iterator[Standing]:
    with Engine() as engine:
        run(engine.session(), "CREATE SOURCE s (a int) WITH (backlog.max_rows = 3)", "CREATE TABLE t (a int)")
        run(engine.session(), "CREATE MATERIALIZED VIEW v AS SELECT a FROM s")
        standing, runnable = Standing(engine), Job.runnable
        monkeypatch.setattr(Job, "runnable", lambda job: not (standing.stands and job.name == "v") and runnable(job))
        yield standing
        standing.go()


@contextmanager
def _meanwhile(action: Callable[[], object]) -> Iterator[list[object]]:
    """What ``action`` gives, or fails with, in another thread: there after the block."""
    found: list[object] = []

    def act() -> None:
        try:
            found.append(action())
        except ConstellationError as error:
            found.append(error)

    thread = threading.Thread(target=act)
    thread.start()
    try:
        yield found
    finally:
        thread.join()


def test_an_insert_waits_and_others_do_not(view: Standing) -> None:
    session, other = view.engine.session(), view.engine.session()
    view.stand()
    run(session, "INSERT INTO s VALUES (1), (2)", "INSERT INTO s VALUES (3), (4), (5)")  # never divided
    with _meanwhile(lambda: run(session, "INSERT INTO s VALUES (6)", "SELECT count(*) FROM v")) as found:
        view.waits_for_senders(1)
        run(other, "INSERT INTO t VALUES (1)", "CREATE TABLE u (b int)")
        assert run(other, "SELECT a FROM t") == [(1,)]
        assert run(other, _FULL) == [(5, 1)]
        assert not found
        view.go()
    assert found == [[(6,)]]
    assert run(other, _FULL) == [(0, 0)]


def test_bytes_count_too(view: Standing) -> None:
    session = view.engine.session()
    run(session, "DROP SOURCE s CASCADE", "CREATE SOURCE s (w text) WITH (backlog.max_bytes = 1000)")
    run(session, "CREATE MATERIALIZED VIEW v AS SELECT w FROM s")
    view.stand()
    run(session, f"INSERT INTO s VALUES ('{'long ' * 300}')")
    with _meanwhile(lambda: run(session, "INSERT INTO s VALUES ('short')", "SELECT count(*) FROM v")) as found:
        view.waits_for_senders(1)
        assert run(view.engine.session(), "SELECT bytes_waiting > 1000 FROM constellation.sources") == [(True,)]
        view.go()
    assert found == [[(2,)]]


@pytest.mark.parametrize("statement", ["INSERT INTO s VALUES (4)", "INSERT INTO s SELECT a FROM t"])
def test_who_waits_can_be_stopped(view: Standing, statement: str) -> None:
    session = view.engine.session()
    run(session, "INSERT INTO t VALUES (4)")
    view.stand()
    run(session, "INSERT INTO s VALUES (1), (2), (3)")
    with _meanwhile(lambda: run(session, statement)) as found:
        view.waits_for_senders(1)
        session.cancel()
    assert [str(error) for error in found] == ["canceling statement due to user request"]
    run(session, "SET statement_timeout = '50ms'")
    with pytest.raises(QueryCanceled, match="canceling statement due to statement timeout"):
        run(session, statement)
    run(session, "RESET statement_timeout")
    view.go()
    assert run(session, "FLUSH", "SELECT count(*) FROM v") == [(3,)]
    assert run(session, statement, "SELECT count(*) FROM v") == [(4,)]


def test_a_transaction_goes_in_as_a_whole_or_not_at_all(view: Standing) -> None:
    session = view.engine.session()
    view.stand()
    run(session, "INSERT INTO s VALUES (1), (2), (3)")
    for _ in range(2):  # the first is cancelled
        run(
            session,
            "BEGIN",
            "INSERT INTO s VALUES (10), (11)",
            "INSERT INTO t VALUES (10)",
            "INSERT INTO s VALUES (12)",
        )
        with _meanwhile(lambda: run(session, "COMMIT")) as found:
            view.waits_for_senders(1)
            assert run(view.engine.session(), "SELECT count(*) FROM t") == [(0,)]
            if _ == 0:
                session.cancel()
            else:
                view.go()
        assert [isinstance(one, QueryCanceled) for one in found] == [_ == 0]
    assert run(session, "SELECT count(*) AS n, (SELECT count(*) FROM t) AS m FROM v") == [(6, 1)]
    with view.engine.lock:
        changes = view.engine.states["v"].log.all_after(0, view.engine.epoch)
    assert [change.delta.num_rows for change in changes if change.delta is not None] == [3, 3]


def test_copy_waits_with_all_it_brings(view: Standing) -> None:
    session = view.engine.session()
    view.stand()
    run(session, "INSERT INTO s VALUES (1), (2), (3)")
    (result,) = session.execute("COPY s FROM STDIN")
    assert result.copy_in is not None
    result.copy_in.write(b"4\n5\n6\n7\n")
    with _meanwhile(result.copy_in.finish) as found:
        view.waits_for_senders(1)
        view.go()
    assert found == ["COPY 4"]
    assert run(session, "SELECT count(*) FROM v") == [(7,)]


def test_the_embedded_insert_waits(view: Standing) -> None:
    import pyarrow as pa

    rows = pa.record_batch({"a": pa.array([1, 2, 3], pa.int32())})
    view.stand()
    view.engine.insert("s", rows)
    with _meanwhile(lambda: view.engine.insert("s", rows)) as found:
        view.waits_for_senders(1)
        assert not found
        view.go()
    assert found == [view.engine.epoch]


def test_many_senders_do_not_pass_together(view: Standing) -> None:
    """A statement that may go on counts before its rows have come."""
    view.stand()
    run(view.engine.session(), "INSERT INTO s VALUES (1), (2), (3)")
    threads = [
        threading.Thread(target=run, args=(view.engine.session(), "INSERT INTO s VALUES (1), (2), (3)"))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    view.waits_for_senders(4)
    seen: list[int] = []
    show = view.engine.show

    def noting(changes: object) -> None:
        show(changes)  # type: ignore[arg-type]
        seen.append(view.engine.sources["s"].backlog.rows)

    view.engine.show = noting  # type: ignore[method-assign]
    view.go()
    for thread in threads:
        thread.join()
    assert max(seen) <= 5  # two that wait, and one statement more
    assert run(view.engine.session(), "FLUSH", "SELECT count(*) FROM v")


def test_a_view_that_has_failed_is_not_waited_for(view: Standing, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise InternalError("it gave up")

    session = view.engine.session()
    view.stand()
    run(session, "INSERT INTO s VALUES (1), (2), (3)")
    with _meanwhile(lambda: run(session, "INSERT INTO s VALUES (4)")) as found:
        view.waits_for_senders(1)
        monkeypatch.setattr(Job, "step", failing)
        view.go()
    assert found == [[]]


def test_a_source_that_is_dropped_meanwhile(view: Standing) -> None:
    session = view.engine.session()
    view.stand()
    run(session, "INSERT INTO s VALUES (1), (2), (3)")
    with _meanwhile(lambda: run(session, "INSERT INTO s VALUES (4)")) as found:
        view.waits_for_senders(1)
        run(view.engine.session(), "DROP SOURCE s CASCADE")
    assert [type(error) for error in found] == [SerializationFailure]


def test_the_end_of_the_server_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine().start()
    session = engine.session()
    run(session, "CREATE SOURCE s (a int) WITH (backlog.max_rows = 1)", "CREATE MATERIALIZED VIEW v AS SELECT a FROM s")
    monkeypatch.setattr(Job, "runnable", lambda _: False)
    run(session, "INSERT INTO s VALUES (1)")
    with _meanwhile(lambda: run(session, "INSERT INTO s VALUES (2)")) as found:
        while not engine.sources["s"].backlog.senders:
            threading.Event().wait(0.005)
        engine.close()
    assert [type(error) for error in found] == [ShuttingDown]


def test_over_the_wire(view: Standing) -> None:
    """Prepared INSERTs in a pipeline, which nobody's thread would otherwise wait for; other connections go on."""
    with Server(view.engine, port=0) as server:
        host, port = server.address
        dsn = f"host={host} port={port} user=tester dbname=constellation"
        with psycopg.connect(dsn, autocommit=True) as sender, psycopg.connect(dsn, autocommit=True) as other:
            for value in range(8):
                sender.execute("INSERT INTO s VALUES (%s)", (value,), prepare=True)
            view.stand()
            sender.execute("INSERT INTO s VALUES (1), (2), (3)")

            def send() -> int:
                with sender.pipeline():
                    for value in range(20):
                        sender.execute("INSERT INTO s VALUES (%s)", (value,), prepare=True)
                return 20

            with _meanwhile(send) as found:
                view.waits_for_senders(1)
                other.execute("INSERT INTO t VALUES (7)")
                assert other.execute("SELECT a FROM t").fetchall() == [(7,)]
                assert not found
                view.go()
            assert found == [20]
            assert sender.execute("SELECT count(*) FROM v").fetchall() == [(31,)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("backlog.max_rows = 0", 'invalid value for option "backlog.max_rows" of a source: "0"'),
        ("backlog.max_bytes = 'many'", 'invalid value for option "backlog.max_bytes" of a source: "many"'),
        ("connector = 'generator', backlog.max_rows = 5", 'connector "generator" has no option "backlog.max_rows"'),
    ],
)
def test_the_options(options: str, message: str) -> None:
    with Engine() as engine, pytest.raises(InvalidParameter) as raised:
        run(engine.session(), f"CREATE SOURCE s (a bigint) WITH ({options})")
    assert message in str(raised.value)
