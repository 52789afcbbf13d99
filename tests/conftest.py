"""Fixtures that every folder of tests may ask for."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.postgres_fixture import start_postgres


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: a test that waits for a server leaves its core to another."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The DSN of a real Postgres, started once for the whole run."""
    with start_postgres() as dsn:
        yield dsn
