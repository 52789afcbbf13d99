"""Forms of queries on worker processes equal DuckDB's batch answer after every epoch, when workers die too.

``CONSTELLATION_ORACLE_RUNS=20`` runs every form instead of one in twenty, under twenty seeds.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from constellationdb.engine.processes.pool import Pool
from tests.properties.oracle.all_forms import FORMS
from tests.properties.oracle.answers import Answers
from tests.properties.oracle.forms import Form
from tests.properties.oracle.processes import RemoteRun
from tests.properties.oracle.run import FIRST_SEED, RUNS

_CHOSEN = FORMS if RUNS > 1 else FORMS[FIRST_SEED % 20 :: 20]
_LOST = [form for form in FORMS if form.name in ("count sum avg", "groups of groups", "distinct on")]


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    made = Pool(2)
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def answers() -> Iterator[Answers]:
    made = Answers()
    yield made
    made.close()


@pytest.mark.parametrize("form", _CHOSEN, ids=lambda form: form.name.replace(" ", "-"))
def test_every_epoch_is_the_batch_answer(form: Form, pool: Pool, answers: Answers) -> None:
    for seed in range(FIRST_SEED, FIRST_SEED + RUNS):
        RemoteRun(form, seed, pool, answers).run()


@pytest.mark.parametrize("form", _LOST, ids=lambda form: form.name.replace(" ", "-"))
def test_lost_workers_change_nothing(form: Form, pool: Pool, answers: Answers) -> None:
    before = pool.lost
    run = RemoteRun(form, FIRST_SEED, pool, answers, lose=frozenset({2, 4}))
    run.run()
    assert run.remote
    assert pool.lost == before + 2


def test_most_forms_run_on_workers(pool: Pool, answers: Answers) -> None:
    runs = [RemoteRun(form, FIRST_SEED, pool, answers) for form in _CHOSEN]
    assert sum(bool(run.remote) for run in runs) > len(runs) / 2
