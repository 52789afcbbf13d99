"""Sessions of the real engine over the wire: names shared with SQL, reported settings, cancels, endings, limits."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from constellationdb.engine import changelog
from constellationdb.engine.engine import Engine
from constellationdb.server.listener import Server
from constellationdb.wire.limits import Limits
from tests.unit.wire import frontend_bytes as fe
from tests.unit.wire.raw_client import RawClient, Reply


@pytest.fixture(scope="module")
def database() -> Iterator[Engine]:
    with Engine() as engine:
        for text in (
            "CREATE TABLE t (id int PRIMARY KEY, v int)",
            "INSERT INTO t VALUES (1, 10), (2, 20), (3, 30)",
            "CREATE TABLE numbers (n bigint)",
            "INSERT INTO numbers SELECT n FROM generate_series(1, 40000) AS g(n)",
        ):
            list(engine.session().execute(text))
        yield engine


@pytest.fixture(scope="module")
def serving(database: Engine) -> Iterator[Server]:
    with Server(database, port=0) as running:
        yield running


@pytest.fixture
def real(serving: Server) -> Iterator[RawClient]:
    with RawClient(serving.port) as connected:
        yield connected


def statuses(replies: list[Reply]) -> dict[str, str]:
    pairs = (reply.body.rstrip(b"\0").split(b"\0") for reply in replies if reply.kind == "S")
    return {pair[0].decode(): pair[1].decode() if len(pair) > 1 else "" for pair in pairs}


def say(client: RawClient, sql: str) -> list[Reply]:
    client.send(fe.query(sql))
    return client.until("Z")


def error(replies: list[Reply]) -> dict[str, str]:
    (found,) = [reply.fields() for reply in replies if reply.kind == "E"]
    return found


def rows(replies: list[Reply]) -> list[list[bytes | None]]:
    return [reply.row() for reply in replies if reply.kind == "D"]


# -- settings ------------------------------------------------------------------------------------


def test_all_settings_that_postgres_reports_are_reported_at_the_start(real: RawClient) -> None:
    assert set(statuses(real.startup)) == {
        "application_name", "client_encoding", "DateStyle", "default_transaction_read_only", "in_hot_standby",
        "integer_datetimes", "IntervalStyle", "is_superuser", "server_encoding", "server_version",
        "session_authorization", "standard_conforming_strings", "TimeZone",
    }  # fmt: skip


@pytest.mark.parametrize("sql", ["SET TimeZone = 'Asia/Tokyo'", "SELECT set_config('timezone', 'Asia/Tokyo', false)"])
def test_a_change_is_reported_and_so_is_its_rollback(real: RawClient, sql: str) -> None:
    assert statuses(say(real, "BEGIN")) == {}
    assert statuses(say(real, sql)) == {"TimeZone": "Asia/Tokyo"}
    assert statuses(say(real, "SAVEPOINT s; SET TimeZone = 'Asia/Seoul'")) == {"TimeZone": "Asia/Seoul"}
    assert statuses(say(real, "ROLLBACK TO s")) == {"TimeZone": "Asia/Tokyo"}
    assert statuses(say(real, "ROLLBACK")) == {"TimeZone": "UTC"}
    assert statuses(say(real, "SET application_name = 'x'; SELECT 1 / 0")) == {}


def test_a_setting_that_is_wrong_ends_the_startup(serving: Server) -> None:
    with RawClient(serving.port, start=False) as client:
        client.send(fe.startup(user="me", options="-c jit=maybe"))
        *_, refused = client.until("E")
        assert (refused.fields()["S"], refused.fields()["C"]) == ("FATAL", "22023")


def test_notices_below_client_min_messages_are_not_sent(real: RawClient) -> None:
    assert "N" in {reply.kind for reply in say(real, "DROP TABLE IF EXISTS nowhere")}
    say(real, "SET client_min_messages = warning")
    assert "N" not in {reply.kind for reply in say(real, "DROP TABLE IF EXISTS nowhere")}
    assert "N" in {reply.kind for reply in say(real, "COMMIT")}
    say(real, "SET client_min_messages = error")
    assert "N" not in {reply.kind for reply in say(real, "COMMIT")}


# -- names ---------------------------------------------------------------------------------------


def test_sql_and_messages_know_the_same_statements(real: RawClient) -> None:
    assert real.kinds(fe.parse("SELECT $1::int + 1", "plus"), fe.message("S")) == "1Z"
    assert rows(say(real, "EXECUTE plus (41)")) == [[b"42"]]
    say(real, "PREPARE minus (int) AS SELECT $1 - 1")
    real.send(fe.bind(b"43", statement="minus"), fe.describe("P"), fe.execute(), fe.message("S"))
    assert rows(real.until("Z")) == [[b"42"]]
    assert error(say(real, "PREPARE plus AS SELECT 1"))["C"] == "42P05"
    say(real, "DEALLOCATE plus")
    real.send(fe.bind(b"1", statement="plus"), fe.message("S"))
    assert error(real.until("Z"))["C"] == "26000"
    say(real, "DISCARD ALL")
    real.send(fe.bind(b"1", statement="minus"), fe.message("S"))
    assert error(real.until("Z"))["C"] == "26000"


def test_a_declared_cursor_is_a_portal(real: RawClient) -> None:
    say(real, "BEGIN; DECLARE c CURSOR FOR SELECT id FROM t ORDER BY id")
    real.send(fe.describe("P", "c"), fe.execute("c", 2), fe.message("S"))
    replies = real.until("Z")
    assert "".join(reply.kind for reply in replies) == "TDDsZ"
    assert rows(replies) == [[b"1"], [b"2"]]
    assert rows(say(real, "FETCH ALL c")) == [[b"3"]]
    assert real.kinds(fe.bind(portal="c"), fe.message("S")) == "EZ"
    assert say(real, "ROLLBACK")[0].tag() == "ROLLBACK"


def test_a_portal_is_a_cursor(real: RawClient) -> None:
    say(real, "BEGIN")
    real.send(fe.parse("SELECT id FROM t ORDER BY id"), fe.bind(portal="p"), fe.execute("p", 1), fe.message("S"))
    assert rows(real.until("Z")) == [[b"1"]]
    assert rows(say(real, "FETCH 1 FROM p")) == [[b"2"]]
    assert say(real, "CLOSE p")[0].tag() == "CLOSE CURSOR"
    real.send(fe.execute("p"), fe.message("S"))
    assert error(real.until("Z"))["M"] == 'portal "p" does not exist'


def test_a_binary_cursor_answers_in_binary(real: RawClient) -> None:
    say(real, "BEGIN; DECLARE c BINARY CURSOR FOR SELECT id FROM t ORDER BY id")
    assert rows(say(real, "FETCH 1 c")) == [[struct.pack(">i", 1)]]
    real.send(fe.describe("P", "c"), fe.execute("c", 1), fe.message("S"))
    assert rows(real.until("Z")) == [[struct.pack(">i", 2)]]


def test_a_held_cursor_is_there_after_its_transaction_and_not_after_discard(real: RawClient) -> None:
    say(real, "BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT id FROM t ORDER BY id; COMMIT")
    assert rows(say(real, "FETCH 1 c")) == [[b"1"]]
    real.send(fe.execute("c", 1), fe.message("S"))
    assert rows(real.until("Z")) == [[b"2"]]
    say(real, "DISCARD ALL")
    assert error(say(real, "FETCH 1 c"))["C"] == "34000"


# -- cancels -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT sum((a.n * b.n) % 7) FROM numbers a, numbers b",
        "INSERT INTO numbers SELECT sum((a.n * b.n) % 7) FROM numbers a, numbers b",
        "CREATE TEMP TABLE x AS SELECT sum((a.n * b.n) % 7) AS s FROM numbers a, numbers b",
        "SUBSCRIBE numbers",
        "COPY (SUBSCRIBE t) TO STDOUT",
        "COPY (SELECT sum((a.n * b.n) % 7) FROM numbers a, numbers b) TO STDOUT",
        "DECLARE c CURSOR WITH HOLD FOR SELECT sum((a.n * b.n) % 7) FROM numbers a, numbers b",
        "DECLARE c CURSOR WITH HOLD FOR SUBSCRIBE t; FETCH 100 c WITH (timeout = '100s')",
        "COPY t FROM STDIN",
    ],
    ids=lambda sql: " ".join(sql.split()[:3]),
)
def test_a_cancel_ends_the_statement_and_not_the_connection(real: RawClient, sql: str) -> None:
    answered = threading.Event()
    real.send(fe.query(sql))
    canceller = threading.Thread(target=_cancel_until, args=(real, answered))
    canceller.start()
    replies = real.until("Z")
    answered.set()
    canceller.join()
    assert error(replies)["C"] == "57014"
    assert rows(say(real, "SELECT 1")) == [[b"1"]]


def _cancel_until(client: RawClient, answered: threading.Event) -> None:
    """A cancel that comes before its statement does nothing."""
    while not answered.wait(0.2):
        client.cancel()


# -- endings -------------------------------------------------------------------------------------


def test_pg_terminate_backend_tells_the_client(serving: Server, real: RawClient) -> None:
    with RawClient(serving.port) as other:
        victim, _ = other.key()
        assert rows(say(real, f"SELECT pg_terminate_backend({victim})")) == [[b"t"]]
        *_, told = other.until("E")
        assert (told.fields()["S"], told.fields()["C"]) == ("FATAL", "57P01")
        assert told.fields()["M"] == "terminating connection due to administrator command"
        assert other.read() is None


def test_pg_terminate_backend_waits_for_the_end(serving: Server, real: RawClient) -> None:
    with RawClient(serving.port) as other:
        victim, _ = other.key()
        assert rows(say(real, f"SELECT pg_terminate_backend({victim}, 60000)")) == [[b"t"]]
        assert rows(say(real, f"SELECT count(*) FROM pg_stat_activity WHERE pid = {victim}")) == [[b"0"]]


def test_show_tells_what_the_server_was_started_with(serving: Server) -> None:
    with (
        Server(serving._engine, port=0, limits=Limits(max_connections=7)) as second,
        RawClient(second.port) as client,
    ):
        assert rows(say(client, "SHOW port")) == [[str(second.port).encode()]]
        assert rows(say(client, "SELECT current_setting('max_connections')")) == [[b"7"]]
        say(client, "RESET ALL")
        assert rows(say(client, "SHOW port")) == [[str(second.port).encode()]]


def test_it_does_so_in_the_middle_of_a_statement(serving: Server, real: RawClient) -> None:
    with RawClient(serving.port) as other:
        other.send(fe.query("SUBSCRIBE t"))
        other.until("D")
        say(real, f"SELECT pg_terminate_backend({other.key()[0]})")
        *_, told = other.until("E")
        assert told.fields()["C"] == "57P01"
        assert other.read() is None


def test_the_process_of_the_key_is_that_of_pg_stat_activity(real: RawClient) -> None:
    pid, _ = real.key()
    port = real.socket.getsockname()[1]
    found = rows(say(real, "SELECT pid, client_addr, client_port FROM pg_stat_activity WHERE pid = pg_backend_pid()"))
    assert found == [[str(pid).encode(), b"127.0.0.1", str(port).encode()]]


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        ("SET idle_session_timeout = '50ms'", "57P05"),
        ("SET idle_in_transaction_session_timeout = '50ms'; BEGIN", "25P03"),
        ("SET idle_in_transaction_session_timeout = '50ms'; BEGIN; SELECT 1 / 0", "25P03"),
    ],
)
def test_an_idle_client_is_told_why_it_goes(real: RawClient, sql: str, sqlstate: str) -> None:
    for text in sql.split("; "):
        say(real, text)
    *_, told = real.until("E")
    assert (told.fields()["S"], told.fields()["C"]) == ("FATAL", sqlstate)
    assert real.read() is None


# -- limits --------------------------------------------------------------------------------------


def test_a_message_too_long_ends_the_connection_before_it_has_come(database: Engine) -> None:
    with Server(database, port=0, limits=Limits(message_bytes=1000)) as server, RawClient(server.port) as client:
        client.send(b"Q" + struct.pack(">i", 1001))
        *_, told = client.until("E")
        assert (told.fields()["S"], told.fields()["C"]) == ("FATAL", "08P01")
        assert told.fields()["H"] == "send at most 1000 bytes in one message"
        assert client.read() is None


def test_a_client_that_does_not_introduce_itself_is_sent_away(database: Engine) -> None:
    limits = Limits(authentication_seconds=0.1)
    with Server(database, port=0, limits=limits) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as silent:
            assert _ends(silent)
        with RawClient(server.port) as client:
            assert rows(say(client, "SELECT 1")) == [[b"1"]]


def _ends(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_too_many_clients(database: Engine) -> None:
    limits = Limits(max_connections=1)
    with (
        Server(database, port=0, limits=limits) as server,
        RawClient(server.port),
        RawClient(server.port, start=False) as second,
    ):
        second.send(fe.startup(user="me"))
        *_, told = second.until("E")
        assert (told.fields()["C"], told.fields()["M"]) == ("53300", "sorry, too many clients already")


# -- slow subscribers ----------------------------------------------------------------------------


def test_a_subscriber_that_falls_behind_gets_54000_after_whole_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changelog, "RETAINED_BYTES", 2 << 20)
    with Engine() as engine, Server(engine, port=0) as server, RawClient(server.port) as writer:
        say(writer, "CREATE TABLE behind (a int, b text)")
        with RawClient(server.port) as slow:
            slow.send(fe.query("SUBSCRIBE behind"))
            slow.until("T")
            for a in range(40):
                say(
                    writer,
                    f"INSERT INTO behind SELECT {a * 1000} + i, repeat('x', 500) FROM generate_series(1, 1000) AS g(i)",
                )
                engine.tidy_base()
            *came, told, _ = slow.until("Z")
            epochs = [reply.row()[0] for reply in came if reply.kind == "D"]
            assert told.fields()["C"] == "54000"
            assert epochs[-1] is not None
            assert f"it ended after epoch {epochs[-1].decode()};" in told.fields()["H"]
            assert len(epochs) % 1000 == 0
            assert rows(say(slow, "SELECT count(*) FROM behind")) == [[b"40000"]]
