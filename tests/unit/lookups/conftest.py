"""A database in memory for each test, and the scripted lookup source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import constellationdb
from constellationdb.embedded import Database
from tests.unit.lookups.scripted import Scripted, connector

Rows = list[tuple[Any, ...]]


@pytest.fixture
def database() -> Iterator[Database]:
    with constellationdb.connect() as database:
        yield database


@pytest.fixture
def script() -> Iterator[Scripted]:
    with connector(Scripted()) as script:
        yield script


def rows(database: Database, query: str) -> Rows:
    return [tuple(row) for row in database.sql(query).fetchall()]


def eventually(database: Database, query: str, wanted: Callable[[Rows], bool], patience: int = 400) -> Rows:
    """The rows of ``query`` once they are as wanted: an epoch follows another, and each is looked at."""
    import time

    for _ in range(patience):
        found = rows(database, query)
        if wanted(found):
            return found
        time.sleep(0.025)
    raise AssertionError(f"{query} still gives {found}")
