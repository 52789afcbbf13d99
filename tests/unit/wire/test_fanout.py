"""Subscribers that share what they are sent each receive every change once, in order, however fast they read."""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from constellationdb.engine.engine import Engine
from constellationdb.server.listener import Server
from constellationdb.wire import fanout
from tests.unit.wire import frontend_bytes as fe
from tests.unit.wire.raw_client import RawClient

_FORMS = {
    "copy": fe.query("COPY (SUBSCRIBE v WITH (snapshot = false)) TO STDOUT"),
    "csv": fe.query("COPY (SUBSCRIBE v WITH (snapshot = false)) TO STDOUT (FORMAT csv)"),
    "rows": fe.query("SUBSCRIBE v WITH (snapshot = false)"),
    "binary": fe.parse("SUBSCRIBE v WITH (snapshot = false)") + fe.bind(results=(1,)) + fe.execute() + fe.SYNC,
}
_MARK = -1  # the last row's id


@pytest.fixture
def port() -> Iterator[int]:
    with Engine() as engine, Server(engine, port=0) as server:
        with RawClient(server.port) as client:
            _run(client, "CREATE TABLE t (id bigint PRIMARY KEY, v bigint)")
            _run(client, "CREATE MATERIALIZED VIEW v AS SELECT id, v * 2 AS w FROM t")
        yield server.port


def _run(client: RawClient, sql: str) -> None:
    client.send(fe.query(sql))
    assert "E" not in [reply.kind for reply in client.until()], sql


class _Follower:
    """Reads changes as ``(epoch, diff, id, w)`` on a thread, with a pause after each message, until it has the mark."""

    def __init__(self, port: int, form: str, pause: float = 0.0) -> None:
        self.changes: list[tuple[int, ...]] = []
        self.error = ""
        self._form = form
        self._pause = pause
        self.client = RawClient(port)
        if pause:  # so that what is held back counts
            self.client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.client.send(_FORMS[form])
        if form != "binary":
            self.client.read()  # that COPY begins, or what its columns are; then so has the subscription
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        while (reply := self.client.read()) is not None:
            if reply.kind == "E":
                self.error = reply.fields()["C"]
                return
            if reply.kind not in "Dd":
                continue
            change = self._change(reply.row() if reply.kind == "D" else reply.body)
            self.changes.append(change)
            if change[2] == _MARK:
                return
            if self._pause and len(self.changes) % 100 == 0:
                time.sleep(self._pause)

    def _change(self, data: bytes | list[bytes | None]) -> tuple[int, ...]:
        if isinstance(data, bytes):
            return tuple(int(part) for part in data.split(b"," if self._form == "csv" else b"\t"))
        if self._form == "binary":
            return tuple(struct.unpack(">q", part or b"")[0] for part in data)
        return tuple(int(part or b"") for part in data)


def _changing(port: int, seed: int, rounds: int) -> None:
    """Random small changes, and some too large to be shared."""
    rng = random.Random(seed)
    with RawClient(port) as client:
        for i in range(rounds):
            first = rng.randrange(50)
            match rng.randrange(4 if i % 5 else 5):
                case 0 | 1:
                    rows = ", ".join(f"({first + n}, {rng.randrange(9)})" for n in range(rng.randrange(1, 20)))
                    _run(client, f"INSERT INTO t VALUES {rows} ON CONFLICT (id) DO UPDATE SET v = excluded.v")
                case 2:
                    _run(client, f"UPDATE t SET v = v + 1 WHERE id < {first}")
                case 3:
                    _run(client, f"DELETE FROM t WHERE id BETWEEN {first} AND {first + 5}")
                case _:
                    base = 10_000 + i * 100_000
                    _run(client, f"INSERT INTO t SELECT g, g FROM generate_series({base}, {base + fanout.MOST_ROWS}) g")
        _run(client, f"INSERT INTO t VALUES ({_MARK}, 0)")


@pytest.mark.parametrize("seed", range(3))
def test_every_follower_gets_every_change_once(port: int, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "MOST_ROWS", 500)
    followers = [_Follower(port, form, pause) for form in _FORMS for pause in (0.0, 0.0, 0.02)]
    _begin(port, followers)
    _changing(port, seed, 60)
    for follower in followers:
        follower.thread.join(60)
        assert not follower.thread.is_alive()
        assert follower.error == ""
    expected = followers[0].changes
    assert [epoch for epoch, *_ in expected] == sorted(epoch for epoch, *_ in expected)
    for follower in followers[1:]:
        begun = follower.changes[0][0]
        assert _by_epoch(follower.changes) == _by_epoch([change for change in expected if change[0] >= begun])
    assert _added_up(expected) == _contents(port)
    for follower in followers:
        follower.client.close()


def _begin(port: int, followers: list[_Follower]) -> None:
    """Changes until each has one: a binary one does not say when it has begun."""
    with RawClient(port) as client:
        for number in count(1):
            _run(client, f"INSERT INTO t VALUES ({_MARK - number}, 0)")
            if all(follower.changes for follower in followers):
                return
            time.sleep(0.01)


def _wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def _by_epoch(changes: list[tuple[int, ...]]) -> list[tuple[int, list[tuple[int, ...]]]]:
    found: dict[int, list[tuple[int, ...]]] = {}
    for change in changes:
        found.setdefault(change[0], []).append(change)
    return [(epoch, sorted(rows)) for epoch, rows in found.items()]


def _added_up(changes: list[tuple[int, ...]]) -> set[tuple[int, ...]]:
    counts: dict[tuple[int, ...], int] = {}
    for _, diff, *row in changes:
        counts[tuple(row)] = counts.get(tuple(row), 0) + diff
    assert set(counts.values()) <= {0, 1}
    return {row for row, count in counts.items() if count}


def _contents(port: int) -> set[tuple[int, ...]]:
    with RawClient(port) as client:
        client.send(fe.query("SELECT id, w FROM v"))
        return {tuple(int(part or b"") for part in reply.row()) for reply in client.until() if reply.kind == "D"}


def test_a_follower_that_is_cancelled_goes_on_talking(port: int) -> None:
    others = [_Follower(port, "copy") for _ in range(3)]
    with RawClient(port) as client, RawClient(port) as writer:
        for i in range(1, 20):
            client.send(_FORMS["copy"])
            assert client.read()
            _run(writer, f"INSERT INTO t VALUES ({i}, {i})")
            row = client.read()
            assert row is not None
            assert row.body.split(b"\t")[2] == b"%d" % i
            client.cancel()
            assert [(r.kind, r.fields().get("C")) for r in client.until() if r.kind == "E"] == [("E", "57014")]
            client.send(fe.query("SELECT 1"))
            assert "".join(reply.kind for reply in client.until()) == "TDCZ"
        _run(writer, f"INSERT INTO t VALUES ({_MARK}, 0)")
    for other in others:
        other.thread.join(20)
        assert [change[2] for change in other.changes] == [*range(1, 20), _MARK]
        other.client.close()


def test_followers_are_told_that_their_relation_is_gone(port: int) -> None:
    followers = [_Follower(port, "copy") for _ in range(4)]
    with RawClient(port) as client:
        _run(client, "INSERT INTO t VALUES (1, 1)")
        _wait_for(lambda: all(follower.changes for follower in followers))
        _run(client, "DROP MATERIALIZED VIEW v")
    for follower in followers:
        follower.thread.join(20)
        assert (len(follower.changes), follower.error) == (1, "42P01")
        follower.client.close()


def test_followers_that_go_away_leave_the_others_alone(port: int) -> None:
    stays = _Follower(port, "copy")
    goes = [_Follower(port, "copy") for _ in range(5)]
    with RawClient(port) as client:
        for i, follower in enumerate(goes, 1):
            _run(client, f"INSERT INTO t VALUES ({i}, 1)")
            _wait_for(lambda follower=follower: follower.changes)  # type: ignore[misc]
            follower.client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            follower.client.socket.close()
        _run(client, f"INSERT INTO t VALUES ({_MARK}, 1)")
    stays.thread.join(20)
    assert [change[2] for change in stays.changes] == [1, 2, 3, 4, 5, _MARK]
    stays.client.close()
