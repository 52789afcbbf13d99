"""The scripts on our own engine: one for all in this process, and one server for many over the wire.

Over the wire every fifth portable and every third streaming one is enough by default, and on worker processes every
eighth streaming one; ``make slt`` says them all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from constellationdb.cli.slt.connection import Connection
from constellationdb.cli.slt.engines import LABEL
from constellationdb.cli.slt.report import describe
from constellationdb.cli.slt.session_connection import SessionConnection
from constellationdb.cli.slt.suite import Suite
from constellationdb.cli.slt.wire_connection import WireConnection
from constellationdb.engine.engine import Engine
from constellationdb.server.listener import Server

FOLDER = Path(__file__).parent
PORTABLE = sorted([*(FOLDER / "portable").glob("*.slt"), *(FOLDER / "differences").glob("*.slt")])
STREAMING = sorted((FOLDER / "streaming").glob("*.slt"))
SCRIPTS = [*PORTABLE, *STREAMING]
WIRE = SCRIPTS if os.environ.get("CONSTELLATION_SLT") == "all" else [*PORTABLE[::5], *STREAMING[::3]]
SPREAD = STREAMING if os.environ.get("CONSTELLATION_SLT") == "all" else STREAMING[::8]
Open = Callable[[], Connection]


@pytest.fixture(scope="module")
def inside() -> Iterator[tuple[Engine, Open]]:
    engine = Engine().start()
    yield engine, lambda: SessionConnection(engine.session())
    engine.close()


@pytest.fixture(scope="module")
def spread() -> Iterator[tuple[Engine, Open]]:
    """Views run on two worker processes."""
    engine = Engine(workers=2, processes=True).start()
    yield engine, lambda: SessionConnection(engine.session())
    engine.close()


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Engine, Open]]:
    engine = Engine().start()
    with Server(engine, port=0) as server:
        host, port = server.address
        dsn = f"host={host} port={port} user=tester dbname=constellation"
        yield engine, lambda: WireConnection(dsn)
    engine.close()


def named(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@pytest.mark.parametrize("script", SCRIPTS, ids=named)
def test_script_in_this_process(script: Path, inside: tuple[Engine, Open]) -> None:
    _passes(script, *inside)


@pytest.mark.parametrize("script", SPREAD, ids=named)
def test_script_on_worker_processes(script: Path, spread: tuple[Engine, Open]) -> None:
    _passes(script, *spread)


@pytest.mark.parametrize("script", WIRE, ids=named)
def test_script_over_the_wire(script: Path, served: tuple[Engine, Open]) -> None:
    _passes(script, *served)


def _passes(script: Path, engine: Engine, connect: Open) -> None:
    suite = Suite(
        lambda _script: lambda _name: connect(), frozenset({LABEL}), strict_types=True, say=lambda _text: None
    )
    outcome = suite.run_file(script)

    assert not outcome.failures, "\n\n".join(describe(failure) for failure in outcome.failures)
    assert outcome.passed >= 6
    assert not engine.catalog.relations, "a script drops what it made, so that many can run on one server"
