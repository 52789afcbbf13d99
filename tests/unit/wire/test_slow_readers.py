"""Answers arrive whole and in order, however the client reads: the thread and the loop take turns at the socket."""

from __future__ import annotations

import random
import time

import pytest

from constellationdb.server.listener import Server
from tests.unit.wire import frontend_bytes as fe
from tests.unit.wire.raw_client import RawClient

ROWS = 60_000


@pytest.mark.parametrize("seed", range(3))
def test_every_row_comes_once_and_in_order_to_a_reader_that_pauses(server: Server, seed: int) -> None:
    draw = random.Random(seed)
    with RawClient(server.port) as client:
        client.send(fe.query(f"select value as n, repeat('x', value % 50) from range({ROWS}) order by 1") * 3)
        for _ in range(3):
            seen = []
            while (reply := client.read()) is not None and reply.kind != "Z":
                if reply.kind == "D":
                    number, filler = reply.row()
                    assert number is not None
                    assert filler == b"x" * (int(number) % 50)
                    seen.append(int(number))
                if draw.random() < 0.0005:
                    time.sleep(draw.choice((0.001, 0.02)))
            assert seen == list(range(ROWS))


def test_a_client_that_leaves_in_the_middle_harms_nobody_who_gets_its_socket_number(server: Server) -> None:
    for _ in range(20):
        with RawClient(server.port) as leaving:
            leaving.send(fe.query("select repeat('x', 1000) as t from range(100000)"))
            leaving.until("D")
        with RawClient(server.port) as following:
            assert following.kinds(fe.query("select 1")) == "TDCZ"
            assert following.kinds(fe.query("select 2")) == "TDCZ"
