"""Random queries over random data on random schedules equal DuckDB's batch answers after every epoch.

``CONSTELLATION_ORACLE_CASES=5000`` runs more of them, ``CONSTELLATION_ORACLE_SEED=n`` others;
``python -m tests.properties.oracle.hunt`` is the same without end.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.properties.oracle.answers import Answers
from tests.properties.oracle.choices import Draws, shrink
from tests.properties.oracle.hunt import Hunter

CASES = int(os.environ.get("CONSTELLATION_ORACLE_CASES", "40"))
FIRST_SEED = int(os.environ.get("CONSTELLATION_ORACLE_SEED", "0"))
MOST_REFUSED = 0.1  # the share of random queries that may be refused with 0A000
MOST_UNJUDGED = 0.05  # … and of those that DuckDB itself cannot run


@pytest.fixture(scope="module")
def answers() -> Iterator[Answers]:
    made = Answers()
    yield made
    made.close()


@pytest.mark.timeout(0)
def test_random_queries(answers: Answers) -> None:
    tally = Hunter(answers, shrinks=300).hunt(range(FIRST_SEED, FIRST_SEED + CASES))
    print(tally.report())
    assert not tally.defects, "\n\n".join(map(str, tally.defects))
    assert tally.refused.total() <= MOST_REFUSED * tally.cases, tally.report()
    assert tally.unjudged.total() <= MOST_UNJUDGED * tally.cases, tally.report()
    assert not tally.missing(), f"this proves nothing: there was no {', no '.join(tally.missing())}"


def test_a_seed_draws_the_same_again() -> None:
    first, again = Draws("7"), Draws("7")
    assert [first.part("a").randint(0, 99) for _ in range(9)] == [again.part("a").randint(0, 99) for _ in range(9)]
    replayed = Draws("other", first.recorded())
    third = Draws("7")
    assert [replayed.part("a").randint(0, 99) for _ in range(9)] == [third.part("a").randint(0, 99) for _ in range(9)]


def test_shrinking_keeps_what_fails() -> None:
    """A list that must hold a 77 after at least one other value loses everything else."""

    def fails(given: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]] | None:
        values = given["list"]
        return {"list": values} if 77 in values[1:] else None

    assert shrink({"list": (5, 9, 77, 3, 8, 12), "other": (1, 2)}, fails, 500) == {"list": (0, 77)}
