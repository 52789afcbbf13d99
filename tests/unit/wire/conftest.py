"""A server over the tests' own engine, and a raw client of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from constellationdb.server.listener import Server
from tests.unit.wire.datafusion_session import DataFusionEngine
from tests.unit.wire.raw_client import RawClient


@pytest.fixture
def engine() -> DataFusionEngine:
    return DataFusionEngine()


@pytest.fixture
def server(engine: DataFusionEngine) -> Iterator[Server]:
    with Server(engine, port=0) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[RawClient]:
    with RawClient(server.port) as connected:
        yield connected
