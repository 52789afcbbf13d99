"""Random databases: tables, DML, transactions, views and SELECTs do and hold what Postgres does and holds.

``CONSTELLATION_POSTGRES_BUGS=all`` plants every bug, ``CONSTELLATION_POSTGRES_CASES=2000`` runs more cases and
``CONSTELLATION_SEED=n`` begins with another seed;
``python -m tests.properties.postgres.hunt`` is the same without end. With ``test_random_queries`` a default run
has 300 random cases.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.properties.oracle.constructs import wanted
from tests.properties.oracle.planted import PlantedBug
from tests.properties.postgres.constructs import CONSTRUCTS
from tests.properties.postgres.hunt import Hunter
from tests.properties.postgres.planted import PLANTED
from tests.properties.postgres.server import Postgres, postgres

CASES = int(os.environ.get("CONSTELLATION_POSTGRES_CASES", "60"))
FIRST_SEED = int(os.environ.get("CONSTELLATION_SEED", "0"))
MOST_REFUSED = 0.1  # the share of random queries that may be refused with 0A000
MOST_UNJUDGED = 0.1  # … and of those that Postgres itself refuses
_MOST_TO_FIND = 150  # cases that a planted bug may need


@pytest.fixture(scope="module")
def judge() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


@pytest.mark.timeout(0)
def test_random_databases(judge: Postgres) -> None:
    hunter = Hunter(judge, shrinks=150)
    for seed in range(FIRST_SEED, FIRST_SEED + CASES):
        hunter.one(seed)
    hunter.complete(FIRST_SEED + CASES)
    tally = hunter.tally
    print(f"from CONSTELLATION_SEED={FIRST_SEED}: {tally.report()}")
    assert not tally.defects, "\n\n".join(map(str, tally.defects))
    assert tally.refused.total() <= MOST_REFUSED * tally.cases, tally.report()
    assert tally.unjudged.total() <= MOST_UNJUDGED * tally.cases, tally.report()
    assert not tally.missing(), f"this proves nothing: there was no {', no '.join(tally.missing())}"


@pytest.mark.timeout(0)
@pytest.mark.parametrize(
    "bug",
    PLANTED if os.environ.get("CONSTELLATION_POSTGRES_BUGS") == "all" else PLANTED[:1],
    ids=lambda bug: bug.name.replace(" ", "-"),
)
def test_a_planted_bug_is_found(bug: PlantedBug, judge: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """The seed that finds it passes without it."""
    for seed in sorted(range(_MOST_TO_FIND), key=lambda seed: wanted(seed, CONSTRUCTS) not in bug.near):
        hunter = Hunter(judge, shrinks=0)
        with monkeypatch.context() as patch:
            bug.install(patch)
            hunter.one(seed)
        if hunter.tally.defects:
            sound = Hunter(judge, shrinks=0)
            sound.one(seed)
            assert not sound.tally.defects
            return
    pytest.fail(f"not found in {_MOST_TO_FIND} cases: {bug.name}")
