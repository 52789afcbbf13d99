"""Every form of query, in every mode, equals DuckDB's batch answer after every epoch.

``CONSTELLATION_ORACLE_RUNS=20`` runs twenty seeds a form instead of one, and
``CONSTELLATION_ORACLE_SEED=n`` begins with seed n: a failure names its own.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.properties.oracle.all_forms import FORMS
from tests.properties.oracle.answers import Answers
from tests.properties.oracle.forms import Form
from tests.properties.oracle.run import run_form


@pytest.fixture(scope="module")
def answers() -> Iterator[Answers]:
    made = Answers()
    yield made
    made.close()


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name.replace(" ", "-"))
def test_every_epoch_is_the_batch_answer(form: Form, answers: Answers) -> None:
    run_form(form, answers)


def test_there_are_enough_forms() -> None:
    names = [form.name for form in FORMS]
    assert len(names) == len(set(names))
    assert len(names) >= 120
