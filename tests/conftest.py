"""Fixtures that every folder of tests may ask for."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator

import pytest

from tests.postgres_fixture import start_postgres

# A run starts a few hundred processes. Where Python may not write its bytecode beside the sources, as in many
# containers, each would compile a thousand modules anew: a third of what a start costs.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
    sys.pycache_prefix = os.path.join(tempfile.gettempdir(), f"constellationdb-bytecode-{os.getuid()}")
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix
    sys.dont_write_bytecode = False


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: a test that waits for a server leaves its core to another."""
    return (os.cpu_count() or 1) + 1


# Files of few tests that take long, the longest first: each is a process' own, and would be the last.
_LONG = (
    "e2e/test_kills.py", "e2e/test_sink_kills.py", "simulation/test_simulation.py",
    "e2e/test_subscription_kills.py", "properties/test_random_queries.py",
    "properties/test_beside_postgres.py",
    "properties/test_oracle.py", "properties/test_interval_joins.py", "e2e/consistency/test_consistency.py",
    "properties/test_planted_bugs.py", "e2e/test_demo_flights.py", "e2e/test_demo_market.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        return next((i for i, name in enumerate(_LONG) if item.path.as_posix().endswith(name)), len(_LONG))

    items.sort(key=place)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The DSN of a real Postgres, started once for the whole run."""
    with start_postgres() as dsn:
        yield dsn
