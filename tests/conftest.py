"""Fixtures that every folder of tests may ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.postgres_fixture import start_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The DSN of a real Postgres, started once for the whole run."""
    with start_postgres() as dsn:
        yield dsn
