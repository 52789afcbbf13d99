"""Whole connections of damaged messages: each ends, none hurts the server or another client."""

from __future__ import annotations

import contextlib
import random
import socket

import pytest

from constellationdb.server.listener import Server
from tests.unit.wire import frontend_bytes as fe
from tests.unit.wire.datafusion_session import DataFusionEngine
from tests.unit.wire.raw_client import RawClient

_PIECES = [
    fe.query("select 1; select 'x'"),
    fe.parse("select $1::int8 as n", "s", (20,)),
    fe.bind(b"1", statement="s", portal="p"),
    fe.bind(b"\0" * 8, statement="s", formats=(1,), results=(1,)),
    fe.describe("S", "s"),
    fe.describe("P", "p"),
    fe.execute("p", 1),
    fe.close("S", "s"),
    fe.query("copy t from stdin"),
    fe.copy_data(b"1\n"),
    fe.COPY_DONE,
    fe.copy_fail("no"),
    fe.FLUSH,
    fe.SYNC,
    fe.query("begin"),
    fe.query("rollback"),
]


@pytest.mark.parametrize("seed", range(4))
def test_damaged_conversations_end_and_hurt_nobody(
    server: Server, engine: DataFusionEngine, caplog: pytest.LogCaptureFixture, seed: int
) -> None:
    rng = random.Random(seed)
    engine.tables["t"] = (["a"], [])
    with RawClient(server.port) as bystander:
        for _ in range(60):
            data = bytearray(b"".join(rng.choices(_PIECES, k=rng.randrange(1, 12))))
            if rng.random() < 0.7:
                data[rng.randrange(len(data))] = rng.randrange(256)
            _say(server.port, fe.startup(user="fuzz", database="postgres") + bytes(data))
        assert bystander.kinds(fe.query("select 1")) == "TDCZ"
    assert "failed in a way it must not" not in caplog.text


def _say(port: int, data: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):  # it may close while our bytes are still on their way
            while connection.recv(1 << 16):
                pass
