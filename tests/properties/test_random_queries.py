"""Random queries over random data on random schedules equal DuckDB's batch answers after every epoch.

CASES of them, then the turns of what proved nothing yet.
``CONSTELLATION_ORACLE_CASES=5000`` runs more, ``CONSTELLATION_SEED=n`` begins with another seed;
``python -m tests.properties.oracle.hunt`` is the same without end.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.properties.oracle.answers import Answers
from tests.properties.oracle.case import Case, Met
from tests.properties.oracle.choices import Draws, shrink
from tests.properties.oracle.constructs import CONSTRUCTS, wanted
from tests.properties.oracle.forms import form as form_of
from tests.properties.oracle.generate import Generated
from tests.properties.oracle.hunt import Hunter, draw_case
from tests.properties.oracle.tally import Tally

CASES = int(os.environ.get("CONSTELLATION_ORACLE_CASES", "150"))
FIRST_SEED = int(os.environ.get("CONSTELLATION_SEED", "0"))
MOST_REFUSED = 0.1  # the share of random queries that may be refused with 0A000
MOST_UNJUDGED = 0.05  # … and of those that DuckDB itself cannot run


@pytest.fixture(scope="module")
def answers() -> Iterator[Answers]:
    made = Answers()
    yield made
    made.close()


@pytest.mark.timeout(0)
def test_random_queries(answers: Answers) -> None:
    hunter = Hunter(answers, shrinks=300)
    hunter.hunt(range(FIRST_SEED, FIRST_SEED + CASES))
    tally = hunter.complete(FIRST_SEED + CASES)
    print(f"from CONSTELLATION_SEED={FIRST_SEED}: {tally.report()}")
    assert not tally.defects, "\n\n".join(map(str, tally.defects))
    assert tally.refused.total() <= MOST_REFUSED * tally.cases, tally.report()
    assert tally.unjudged.total() <= MOST_UNJUDGED * tally.cases, tally.report()
    assert not tally.missing(), f"this proves nothing: there was no {', no '.join(tally.missing())}"


@pytest.mark.parametrize(
    ("met", "proved"),
    [
        (Met(answers=3, taken_back=1), {"JOIN"}),
        (Met(answers=3, late=1), {"EMIT ON WINDOW CLOSE"}),
        (Met(answers=3), set()),
        (Met(taken_back=1, late=1), set()),
    ],
)
def test_a_construct_counts_when_rows_of_its_answer_went(met: Met, proved: set[str]) -> None:
    tally, form = Tally(), form_of("some", "SELECT 1")
    tally.add(Case(form, "table", 0, 1), Generated(form, frozenset({"JOIN", "EMIT ON WINDOW CLOSE"})), met)
    assert set(tally.proved) == proved
    assert set(tally.unproved()) == set(CONSTRUCTS) - proved


@pytest.mark.parametrize("seed", range(0, len(CONSTRUCTS), 7))
def test_every_construct_has_its_turn(seed: int) -> None:
    assert wanted(seed) in draw_case(seed, Draws(str(seed)))[1].tags


def test_a_seed_draws_the_same_again() -> None:
    first, again = Draws("7"), Draws("7")
    assert [first.part("a").randint(0, 99) for _ in range(9)] == [again.part("a").randint(0, 99) for _ in range(9)]
    replayed = Draws("other", first.recorded())
    third = Draws("7")
    assert [replayed.part("a").randint(0, 99) for _ in range(9)] == [third.part("a").randint(0, 99) for _ in range(9)]


def test_what_does_not_fit_is_drawn_anew_and_replayed_as_it_was() -> None:
    draws = Draws("7")
    found = draws.until(("a",), lambda: draws.part("a").randint(0, 99), lambda drawn: drawn == 42)
    assert found == 42
    again = Draws("other", draws.recorded())
    assert again.until(("a",), lambda: again.part("a").randint(0, 99), lambda _: False) == 42


def test_draws_that_have_run_out_still_choose() -> None:
    assert Draws("7", {"a": ()}).part("a").sample(range(100), 4) == [0, 1, 2, 3]


def test_shrinking_keeps_what_fails() -> None:
    """A list that must hold a 77 after at least one other value loses everything else."""

    def fails(given: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]] | None:
        values = given["list"]
        return {"list": values} if 77 in values[1:] else None

    assert shrink({"list": (5, 9, 77, 3, 8, 12), "other": (1, 2)}, fails, 500) == {"list": (0, 77)}
