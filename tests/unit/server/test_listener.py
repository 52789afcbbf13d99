"""The server's life: where it listens, what it refuses, how it stops."""

from __future__ import annotations

import socket
import sys
import threading

import psycopg
import pytest

from constellationdb.errors import AddressInUse, InvalidParameter
from constellationdb.server.addresses import bound_sockets
from constellationdb.server.listener import Server
from tests.unit.wire.datafusion_session import DataFusionEngine


def test_it_serves_between_start_and_stop() -> None:
    server = Server(DataFusionEngine(), port=0)
    server.start()
    host, port = server.address
    dsn = f"host={host} port={port} user=me dbname=postgres"
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT 1 AS n").fetchone() == (1,)
    server.stop()
    server.stop()
    with pytest.raises(psycopg.OperationalError, match="refused"):
        psycopg.connect(dsn)


def test_the_port_is_free_again_at_once() -> None:
    with Server(DataFusionEngine(), port=0) as first:
        port = first.port
        with psycopg.connect(f"host=127.0.0.1 port={port} user=me dbname=postgres") as connection:
            connection.execute("SELECT 1 AS n")
    with Server(DataFusionEngine(), port=port) as second:
        assert second.port == port


def test_a_taken_port_is_a_clear_error() -> None:
    with Server(DataFusionEngine(), port=0) as first, pytest.raises(AddressInUse) as caught:
        Server(DataFusionEngine(), port=first.port).start()
    assert caught.value.message == f"port {first.port} on 127.0.0.1 is already in use"
    assert caught.value.hint == "stop the other server or choose another port with --listen"


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "192.0.2.1"])
def test_it_refuses_to_listen_beyond_loopback(host: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        Server(DataFusionEngine(), host, 0).start()
    assert caught.value.message.startswith(f'refusing to listen on "{host}": ')
    assert caught.value.hint == "listen on 127.0.0.1; connections are not encrypted or authenticated yet"


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 65_536), ("127.0.0.1", -1), ("no.such.host.", 0)])
def test_addresses_that_make_no_sense(host: str, port: int) -> None:
    with pytest.raises(InvalidParameter):
        bound_sockets(host, port)


def test_localhost_means_every_address_it_has() -> None:
    sockets = bound_sockets("localhost", 0)
    try:
        assert all(s.family in (socket.AF_INET, socket.AF_INET6) for s in sockets)
        assert sockets[0].getsockname()[1] > 0
    finally:
        for opened in sockets:
            opened.close()


def test_a_server_that_never_started_stops() -> None:
    Server(DataFusionEngine(), port=0).stop()


def test_stopping_ends_statements_and_threads() -> None:
    others = set(threading.enumerate())
    engine = DataFusionEngine()
    server = Server(engine, port=0)
    server.start()
    connection = psycopg.connect(f"host=127.0.0.1 port={server.port} user=me dbname=postgres", autocommit=True)
    failures: list[psycopg.Error] = []

    def subscribe() -> None:
        try:
            connection.execute("SUBSCRIBE 1")
        except psycopg.Error as failure:
            failures.append(failure)

    waiting = threading.Thread(target=subscribe)
    waiting.start()
    while not engine.opened[0].subscribed.wait(0.01):
        assert waiting.is_alive()
    server.stop()
    waiting.join()
    connection.close()
    assert [failure.sqlstate for failure in failures] == ["57P01"]
    assert engine.opened[0].closed
    ours = set(threading.enumerate()) - others
    assert not [thread.name for thread in ours if thread.name.startswith(("wire-", "constellation-"))]


def test_busy_threads_hand_over_soon() -> None:
    with Server(DataFusionEngine(), port=0):
        assert sys.getswitchinterval() == pytest.approx(0.0005)


def test_a_defect_before_the_first_statement_is_told() -> None:
    class Broken:
        def session(self, *_: object) -> DataFusionEngine:
            raise LookupError("no session today")

    with (
        Server(Broken(), port=0) as server,  # type: ignore[arg-type]
        pytest.raises(psycopg.OperationalError, match="internal error: LookupError: no session today"),
    ):
        psycopg.connect(f"host=127.0.0.1 port={server.port} user=me dbname=postgres")
