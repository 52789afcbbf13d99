"""INSERTs pipelined in a transaction are answered byte for byte as if each had been run by itself."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import pytest

from constellationdb.engine.result import Prepared
from constellationdb.engine.shortcuts import Shortcuts
from constellationdb.server.listener import Server
from tests.unit.wire import frontend_bytes as fe
from tests.unit.wire.raw_client import RawClient
from tests.unit.wire.shortcut_engine import engine_with

_SCHEMA = "CREATE TABLE t (a int PRIMARY KEY, b text NOT NULL); CREATE TABLE u (a int, b text)"
_runs: list[int] = []


class _Counting(Shortcuts):
    def insert_together(self, prepared: Prepared, rows: Sequence[Sequence[str | None]]) -> bool:
        done = super().insert_together(prepared, rows)
        _runs.append(len(rows) if done else 0)
        return done


class _OneByOne(Shortcuts):
    def insert_together(self, prepared: Prepared, rows: Sequence[Sequence[str | None]]) -> bool:  # noqa: ARG002
        return False


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[int, int]]:
    with (
        engine_with(_Counting) as first,
        engine_with(_OneByOne) as second,
        Server(first, port=0) as quick,
        Server(second, port=0) as slow,
    ):
        for port in (quick.port, slow.port):
            with RawClient(port) as client:
                client.send(fe.query(_SCHEMA))
                client.until("Z")
        yield quick.port, slow.port


def _script(draw: random.Random) -> list[bytes]:
    """Each part ends in a Sync or is a Query."""
    wrong = draw.random() < 0.6
    parts = [fe.query("TRUNCATE t, u"), fe.query("BEGIN")]
    for _ in range(draw.randrange(1, 4)):
        messages = []
        for _ in range(draw.randrange(1, 40)):
            table = draw.choice(("t", "t", "t", "u"))
            a: bytes = str(draw.randrange(10**6)).encode()
            b: bytes | None = b"x"
            if wrong and draw.random() < 0.1:
                a, b = draw.choice(((b"1", b"twice"), (b"oh", b"x"), (a, None)))
            messages.append(fe.bind(a, b, statement=table))
            if draw.random() < 0.5:
                messages.append(fe.describe("P"))
            messages.append(fe.execute("", draw.choice((0, 0, 0, 0, 0, 5))))
        if draw.random() < 0.3:
            messages.append(fe.describe("P"))
        parts.append(b"".join(messages) + fe.SYNC)
    parts.append(fe.query(draw.choice(("COMMIT", "ROLLBACK"))))
    return [*parts, fe.query("SELECT * FROM t ORDER BY a"), fe.query("SELECT * FROM u")]


def _answers(port: int, parts: list[bytes]) -> list[object]:
    with RawClient(port) as client:
        prepared = [fe.parse(f"INSERT INTO {name} VALUES ($1, $2)", name, (23, 25)) for name in "tu"]
        client.send(*prepared, fe.SYNC)
        client.until("Z")
        client.send(*parts)
        return [reply for _ in parts for reply in client.until("Z")]


@pytest.mark.parametrize("seed", range(12))
def test_the_answers_are_the_same(ports: tuple[int, int], seed: int) -> None:
    parts = _script(random.Random(seed))
    quick, slow = (_answers(port, parts) for port in ports)
    assert quick == slow


def test_runs_are_found(ports: tuple[int, int]) -> None:
    _runs.clear()
    rows = [fe.bind(str(n).encode(), b"x", statement="t") + fe.describe("P") + fe.execute() for n in range(500)]
    _answers(ports[0], [fe.query("TRUNCATE t"), fe.query("BEGIN"), b"".join(rows) + fe.SYNC, fe.query("COMMIT")])
    assert sum(_runs) > 250
