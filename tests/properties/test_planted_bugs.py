"""The oracle finds bugs: each of ``planted.PLANTED`` is installed alone and must be found by the default cases.

The case that finds one must pass without it: it is the bug that was found, not something else.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from constellationdb.errors import InternalError
from tests.properties.oracle.all_forms import FORMS
from tests.properties.oracle.answers import Answers
from tests.properties.oracle.case import MismatchError
from tests.properties.oracle.pipeline import NegativeCountError, ReplayError
from tests.properties.oracle.planted import PLANTED, PlantedBug
from tests.properties.oracle.run import cases_of, run_case

# A wrong answer, a negative count, or the engine noticing that something is not as it must be.
FOUND = (MismatchError, NegativeCountError, ReplayError, InternalError)


@pytest.fixture(scope="module")
def answers() -> Iterator[Answers]:
    made = Answers()
    yield made
    made.close()


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.name.replace(" ", "-"))
def test_the_oracle_finds(bug: PlantedBug, answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = 0
    for form in sorted(FORMS, key=lambda form: form.name not in bug.near):
        for case in cases_of(form):
            with monkeypatch.context() as patch:
                bug.install(patch)
                tried += 1
                try:
                    run_case(case, answers)
                except FOUND:
                    print(f"found by case {tried}, {case.form.name}")
                    break
        else:
            continue
        run_case(case, answers)
        return
    pytest.fail(f"not found in {tried} cases: {bug.name}")
