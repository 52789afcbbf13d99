"""The fast lane answers byte for byte what the connection's thread answers, whatever comes and however it is cut."""

from __future__ import annotations

import random
import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from constellationdb.engine.engine import Engine
from constellationdb.engine.result import Prepared, SessionProtocol
from constellationdb.engine.shortcuts import Shortcut, Shortcuts
from constellationdb.server.listener import Server
from tests.unit.wire import frontend_bytes as fe
from tests.unit.wire.raw_client import RawClient, Reply
from tests.unit.wire.shortcut_engine import engine_with

_SCHEMA = """
    CREATE TABLE t (id bigint PRIMARY KEY, name text NOT NULL, score double precision, at timestamp, small smallint);
    CREATE TABLE words (word varchar(8) PRIMARY KEY, n int);
    CREATE MATERIALIZED VIEW counts AS SELECT small, count(*) AS n, sum(score) AS best FROM t GROUP BY small;
"""
_STATEMENTS = {
    "insert": ("INSERT INTO t VALUES ($1, $2, $3, $4, $5)", (20, 25, 701, 1114, 21)),
    "untyped": ("INSERT INTO t (name, id) VALUES ($2, $1)", ()),
    "word": ("INSERT INTO words VALUES ($1, 7)", (25,)),
    "all": ("SELECT * FROM t WHERE id = $1", (20,)),
    "some": ("SELECT t.score AS s, name FROM public.t WHERE $1 = t.id", (23,)),
    "spelled": ("SELECT n FROM words WHERE word = $1", (25,)),
    "view": ("SELECT * FROM counts WHERE small = $1", (21,)),
    "slow": ("SELECT count(*) FROM t WHERE id > $1", (20,)),
    "none": ("SELECT 1 WHERE false", ()),
}


class _Blind(Shortcuts):
    """Knows none: everything goes to the thread."""

    def prepared(self, sql: str, parameter_oids: tuple[int, ...]) -> Prepared | None:  # noqa: ARG002
        return None

    def of(self, prepared: Prepared) -> Shortcut | None:  # noqa: ARG002
        return None


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[int, int]]:
    """One server with the lane, one without."""
    with Engine() as quick, engine_with(_Blind) as slow, Server(quick, port=0) as first, Server(slow, port=0) as second:
        yield first.port, second.port


def _prepared() -> bytes:
    return b"".join(fe.parse(sql, name, oids) for name, (sql, oids) in _STATEMENTS.items()) + fe.SYNC


class _Script:
    """A random client. ``parts`` are sent one after the other; how many ReadyForQuery they ask for is ``answers``."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self.parts: list[bytes] = []
        self.answers = 0
        for _ in range(self._rng.randrange(4, 16)):
            self._add()

    def _add(self) -> None:
        rng = self._rng
        match rng.randrange(10):
            case 0:
                self.parts.append(
                    fe.query(rng.choice(["BEGIN", "COMMIT", "ROLLBACK", "SELECT count(*) FROM t", "oops"]))
                )
            case 1:
                sql, oids = _STATEMENTS["all"]
                part = [fe.parse(sql, "", oids), fe.bind(self._id()), fe.describe("P"), fe.execute(), fe.SYNC]
                self.parts.append(b"".join(part))
            case 2:
                self.parts.append(fe.FLUSH + self._call("insert") + fe.FLUSH + fe.SYNC)
            case 3:
                calls = [self._call(rng.choice(["insert", "insert", "all"])) for _ in range(rng.randrange(1, 6))]
                self.parts.append(b"".join(calls) + fe.SYNC)
            case 4:
                self.parts += [self._call("insert") + fe.SYNC for _ in range(rng.randrange(1, 12))]
            case 5:
                self.parts.append(self._call(rng.choice(list(_STATEMENTS)), portal="p") + fe.SYNC)
            case _:
                self.parts.append(self._call(rng.choice(list(_STATEMENTS))) + fe.SYNC)
        self.answers = len(self.parts)

    def _call(self, name: str, portal: str = "") -> bytes:
        rng = self._rng
        values = self._values(name)
        described = fe.describe("P", portal) if rng.random() < 0.5 else b""
        formats: tuple[int, ...] = rng.choice([(), (1,)]) if name in ("all", "some", "view") else ()
        rows = rng.choice([0, 0, 0, 1])
        bound = fe.bind(*values, statement=name, portal=portal, results=formats)
        return bound + described + fe.execute(portal, rows)

    def _values(self, name: str) -> list[bytes | None]:
        rng = self._rng
        match name:
            case "insert":
                name_, score = rng.choice([b"a", b"bc", None]), rng.choice([b"1.5", b"NaN", b"x", None])
                at, small = rng.choice([b"2024-05-01 10:00:00", None]), rng.choice([b"1", b"2", b"70000", None])
                return [self._id(), name_, score, at, small]
            case "untyped":
                return [self._id(), b"it's"]
            case "word":
                return [rng.choice([b"one", b"two", b"much too long", b"trailing        "])]
            case "spelled":
                return [rng.choice([b"one", b"two", b"three"])]
            case "view":
                return [rng.choice([b"1", b"2", b"3"])]
            case "none":
                return []
            case _:
                return [self._id()]

    def _id(self) -> bytes | None:
        rng = self._rng
        common = b"%d" % rng.randrange(40)
        return rng.choice([common, common, common, common, common, None, b"1_0", b" 7 ", b"x", b"9999999999999999999"])

    def cut(self) -> list[bytes]:
        """All of it in pieces that mind no message."""
        data, pieces = b"".join(self.parts), []
        while data:
            size = self._rng.randrange(1, max(2, len(data)))
            pieces.append(data[:size])
            data = data[size:]
        return pieces


def _converse(port: int, script: _Script, pieces: list[bytes]) -> list[list[Reply]]:
    with RawClient(port) as client:
        client.send(fe.query("DELETE FROM t"), fe.query("DELETE FROM words"))
        client.until()
        client.until()
        client.send(_prepared())
        client.until()
        for piece in pieces:
            client.send(piece)
        replies = [client.until() for _ in range(script.answers)]
        client.send(fe.query("ROLLBACK"), fe.query("SELECT * FROM t ORDER BY id"), fe.query("SELECT * FROM words"))
        replies += [client.until(), client.until(), client.until()]
    return replies


@pytest.fixture(scope="module")
def made(ports: tuple[int, int]) -> tuple[int, int]:
    for port in ports:
        with RawClient(port) as client:
            client.send(fe.query(_SCHEMA))
            client.until()
    return ports


@pytest.mark.parametrize("seed", range(30))
def test_the_lane_says_what_the_thread_says(made: tuple[int, int], seed: int) -> None:
    script = _Script(seed)
    pieces = script.cut()
    quick, slow = (_converse(port, script, pieces) for port in made)
    assert quick == slow


_BETWEEN = [
    "SET extra_float_digits = 0",
    "SET timezone = 'America/St_Johns'",
    "SET bytea_output = 'escape'",
    "SET statement_timeout = '1min'",
    "RESET ALL",
    "SET default_transaction_read_only = on",
    "RESET default_transaction_read_only",
    "BEGIN",
    "SET LOCAL timezone = 'Asia/Tokyo'",
    "UPDATE kept SET f = -f",
    "oops",
    "ROLLBACK",
    "BEGIN; UPDATE kept SET raw = NULL WHERE id = 1",
    "COMMIT",
    "DELETE FROM kept WHERE id = 2",
    "INSERT INTO kept VALUES (2, 0.1, '2024-07-01 00:00:00.25+00', '\\x00ff')",
    "DROP TABLE kept",
    "CREATE TABLE kept (raw bytea, id bigint PRIMARY KEY, at timestamptz, f double precision)",
    "INSERT INTO kept VALUES ('\\x41', 1, '2020-02-02 00:00:00+00', 1e20)",
    "DROP TABLE kept",
    "CREATE TABLE kept (id bigint PRIMARY KEY, f text, at timestamptz, raw bytea)",
    "DROP TABLE kept",
    "CREATE TEMP TABLE kept (id bigint PRIMARY KEY, f double precision, at timestamptz, raw bytea)",
    "DISCARD ALL",
]


def test_what_happened_since_the_last_execution_counts(made: tuple[int, int]) -> None:
    """Settings, transactions and definitions, between executions of the same prepared statements."""

    def answers(port: int) -> list[list[Reply]]:
        with RawClient(port) as client:
            said = []

            def say(*data: bytes) -> None:
                client.send(*data)
                said.append(client.until())

            say(fe.query("CREATE TABLE kept (id bigint PRIMARY KEY, f double precision, at timestamptz, raw bytea)"))
            rows = "(1, 1.1, '2024-01-01 00:00:00+00', '\\xdeadbeef'), (2, 1e300, '1800-01-01 00:00:00+00', '\\x')"
            say(fe.query(f"INSERT INTO kept VALUES {rows}"))
            say(fe.parse("SELECT id, at, f, raw FROM kept WHERE id = $1", "kept", (20,)), fe.SYNC)
            for statement in ["SELECT 1", *_BETWEEN]:
                say(fe.query(statement))
                for value, code in ((b"1", 0), (b"2", 1), (b"3", 0)):
                    bound = fe.bind(value, statement="kept", results=(code,))
                    say(bound, fe.describe("P"), fe.execute(), fe.SYNC)
                    say(bound, fe.execute(), fe.SYNC)
                binary = fe.bind(struct.pack(">q", 1), statement="kept", formats=(1,), results=(0, 1, 0, 1))
                say(binary, fe.execute(), fe.SYNC)
            return said

    quick, slow = map(answers, made)
    assert quick == slow
    kinds = {"".join(reply.kind for reply in replies) for replies in quick}
    assert {"2TDCZ", "2DCZ", "2TCZ", "EZ"} <= kinds


def test_what_the_lane_does_not_take_keeps_its_place(made: tuple[int, int]) -> None:
    """An INSERT that is under way, then statements for the thread, sent at once."""
    with RawClient(made[0]) as client:
        client.send(fe.query("DELETE FROM t"))
        client.until()
        client.send(_prepared())
        client.until()
        insert = fe.bind(b"1", b"a", None, None, b"1", statement="insert") + fe.execute() + fe.SYNC
        client.send(insert, fe.query("SELECT name FROM t"), insert, fe.query("SELECT count(*) FROM t"), insert)
        kinds = ["".join(reply.kind for reply in client.until()) for _ in range(5)]
    assert kinds == ["2CZ", "TDCZ", "2EZ", "TDCZ", "2EZ"]


def test_inserts_of_many_clients_at_once(made: tuple[int, int]) -> None:
    def write(first: int) -> None:
        with RawClient(made[0]) as client:
            client.send(_prepared())
            client.until()
            for i in range(200):
                values = [b"%d" % (first + i), b"n", b"1", None, b"9"]
                client.send(fe.bind(*values, statement="insert"), fe.execute(), fe.SYNC)
            for _ in range(200):
                assert "".join(reply.kind for reply in client.until()) == "2CZ"

    writers = [threading.Thread(target=write, args=(1000 * n,)) for n in range(1, 6)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    with RawClient(made[0]) as client:
        client.send(fe.query("SELECT count(*), count(DISTINCT id) FROM t WHERE small = 9"))
        rows = [reply.row() for reply in client.until() if reply.kind == "D"]
        client.send(fe.query("SELECT n FROM counts WHERE small = 9"))
        rows += [reply.row() for reply in client.until() if reply.kind == "D"]
    assert rows == [[b"1000", b"1000"], [b"1000"]]


def test_a_client_that_goes_while_its_insert_is_under_way(made: tuple[int, int]) -> None:
    for _ in range(20):
        client = RawClient(made[0])
        client.send(_prepared())
        client.until()
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.send(fe.bind(None, b"a", None, None, None, statement="insert"), fe.execute(), fe.SYNC)
        client.close()
    with RawClient(made[0]) as after:
        after.send(fe.query("SELECT 1"))
        assert after.until()[-1].kind == "Z"


def test_reads_see_what_the_session_wrote(made: tuple[int, int]) -> None:
    """The view's key is read as soon as the view has the row, by the lane or by the thread that waits for it."""
    with RawClient(made[0]) as client:
        client.send(fe.query("DELETE FROM t"))
        client.until()
        client.send(_prepared())
        client.until()
        for i in range(1, 60):
            client.send(fe.bind(b"%d" % i, b"a", b"1", None, b"5", statement="insert"), fe.execute(), fe.SYNC)
            client.until()
            client.send(fe.bind(b"5", statement="view"), fe.execute(), fe.SYNC)
            assert next(reply.row() for reply in client.until() if reply.kind == "D")[1] == b"%d" % i


def test_sessions_know_their_shortcuts() -> None:
    """So that the tests above test something."""
    with Engine() as engine:
        session: SessionProtocol = engine.session()
        for statement in _SCHEMA.split(";")[:-1]:
            list(session.execute(statement))
        found = {}
        for name, (sql, oids) in _STATEMENTS.items():
            prepared = session.prepare(sql, oids)
            read = session.shortcuts.find(prepared, ["1"] * len(prepared.parameters)) is not None
            found[name] = "insert" if session.shortcuts.inserts(prepared) else "read" if read else ""
        assert found | {"untyped": ""} == {
            "insert": "insert", "untyped": "", "word": "insert",
            "all": "read", "some": "read", "spelled": "read", "view": "read", "slow": "", "none": "",
        }  # fmt: skip
