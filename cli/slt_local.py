"""sqllogictest scripts in this process: a new, empty engine for each of them."""

from __future__ import annotations

from pathlib import Path

from constellationdb.cli.slt.engines import OpenSession, session_suite
from constellationdb.cli.slt.suite import Suite
from constellationdb.engine.engine import Engine


def local_suite(labels: frozenset[str]) -> Suite:
    """An engine ends when the next script begins: the suite does not say when one is over."""
    running: list[Engine] = []

    def database_for(_script: Path) -> OpenSession:
        while running:
            running.pop().close()
        engine = Engine()
        engine.start()
        running.append(engine)
        return engine.session

    return session_suite(database_for, labels)
