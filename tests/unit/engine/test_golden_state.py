"""Databases that earlier releases wrote, with a view of every kind of state, are opened and gone on with."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from constellationdb.engine.engine import Engine
from constellationdb.engine.session import Session
from tests.unit.engine.golden_state import DEFINITIONS, GOLDEN, VIEWS, WRITTEN, rows
from tests.unit.engine.statements import run


def _unpacked(name: str, directory: Path) -> Path:
    with tarfile.open(GOLDEN / f"{name}.tar.gz") as archive:
        archive.extractall(directory, filter="data")
    return directory


def _answers(session: Session) -> dict[str, list[tuple[object, ...]]]:
    run(session, "FLUSH")
    return {name: sorted(run(session, f"SELECT * FROM {name}"), key=repr) for name in VIEWS}


@pytest.fixture(scope="module")
def expected() -> list[dict[str, list[tuple[object, ...]]]]:
    """The answers of a database that never was restarted: then, and after more rows."""
    with Engine() as engine:
        session = engine.session()
        run(session, *DEFINITIONS, *(statement for part in WRITTEN for statement in part))
        found = [_answers(session)]
        run(session, *rows(52, 60))
        return [*found, _answers(session)]


@pytest.mark.parametrize("name", sorted(path.name.removesuffix(".tar.gz") for path in GOLDEN.glob("*.tar.gz")))
def test_a_database_is_opened(name: str, tmp_path: Path, expected: list[dict[str, object]]) -> None:
    directory = _unpacked(name, tmp_path)
    with Engine(directory) as engine:
        assert "replayed" in (engine.restored or "")
        session = engine.session()
        assert _answers(session) == expected[0]
        assert engine.durability.checkpoint() is not None
        run(session, *rows(52, 60))
        assert _answers(session) == expected[1]
    with Engine(directory) as engine:
        assert _answers(engine.session()) == expected[1]
        first = engine.states["t"].log.all_after(0, engine.epoch)[0].epoch
        assert run(engine.session(), f"SELECT count(*) FROM t AS OF EPOCH {first}") == [(40,)]


def test_there_is_one() -> None:
    assert list(GOLDEN.glob("*.tar.gz"))
