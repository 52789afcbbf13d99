"""The two ways to run scripts: against a server somewhere, or against an engine in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from constellationdb.cli.slt.connection import Connection
from constellationdb.cli.slt.runner import Connect
from constellationdb.cli.slt.suite import Suite
from constellationdb.engine.result import SessionProtocol

LABEL = "constellation"

OpenSession = Callable[[], SessionProtocol]


def wire_suite(url: str, labels: frozenset[str] = frozenset({LABEL})) -> Suite:
    """Scripts against the server at ``url``, all in its one database: each must drop what it makes."""
    from constellationdb.cli.slt.wire_connection import WireConnection

    def connect(_name: str) -> Connection:
        return WireConnection(url)

    return Suite(lambda _script: connect, labels)


def session_suite(database_for: Callable[[Path], OpenSession], labels: frozenset[str] = frozenset({LABEL})) -> Suite:
    """Scripts in this process; ``database_for`` gives a script its database, as the function that opens sessions."""
    from constellationdb.cli.slt.session_connection import SessionConnection

    def connect_for(script: Path) -> Connect:
        open_session = database_for(script)

        def connect(_name: str) -> Connection:
            return SessionConnection(open_session())

        return connect

    return Suite(connect_for, labels)
