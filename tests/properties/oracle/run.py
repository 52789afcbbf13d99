"""A form's cases, and what they together have to have seen."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from random import Random

from tests.properties.oracle.answers import Answers
from tests.properties.oracle.case import Case, CaseRun, Met
from tests.properties.oracle.forms import Form, Mode
from tests.properties.oracle.tables import draw_tables

EPOCHS = 5
RUNS = int(os.environ.get("CONSTELLATION_ORACLE_RUNS", "1"))
FIRST_SEED = int(os.environ.get("CONSTELLATION_ORACLE_SEED", "0"))
_MORE_SEEDS = 8  # chance may leave a late row out of one case, never out of so many


def cases_of(form: Form) -> list[Case]:
    """The cases of one form: those of every seed."""
    return [case for seed in range(FIRST_SEED, FIRST_SEED + RUNS) for case in _cases(form, seed)]


def _cases(form: Form, seed: int) -> list[Case]:
    """One in every mode, with 1, 2 and 3 workers in turn; of three modes one is left out of a single run."""
    start = sum(form.name.encode())
    left_out = (start + seed) % 3 if RUNS == 1 and len(form.modes) == 3 else None
    modes = [(place, mode) for place, mode in enumerate(form.modes) if place != left_out]
    return [Case(form, mode, seed, 1 + (start + seed + place) % 3) for place, mode in modes]


@dataclass
class Seen:
    """What the cases of one form met; ``missing`` says what they should have met and did not."""

    form: Form
    retractions: int = 0
    late: int = 0
    restarts: int = 0
    answers: Counter[Mode] = field(default_factory=Counter)
    busy: dict[int, set[int]] = field(default_factory=dict)  # number of workers → those that got keyed rows

    def add(self, case: Case, met: Met) -> None:
        self.retractions += met.retractions
        self.late += met.late
        self.restarts += met.restarts
        self.answers[case.mode] += met.answers
        if met.busy is not None:
            self.busy.setdefault(case.workers, set()).update(met.busy)

    def missing(self) -> list[str]:
        form, lacks = self.form, []
        if "table" in form.modes and not self.retractions:
            lacks.append("a retraction")
        if "source" in form.modes and form.windows and not self.late:
            lacks.append("a late row")
        if not self.restarts:
            lacks.append("a restart")
        lacks += [f"an answer with rows over {mode}s" for mode, rows in self.answers.items() if not rows]
        if not form.few_keys:
            lacks += [f"work for each of {n} workers" for n, busy in self.busy.items() if len(busy) < n]
        return lacks


def run_form(form: Form, answers: Answers) -> None:
    """Every case of a form, and further seeds until they together have seen what makes them worth anything."""
    seen = Seen(form)
    for case in cases_of(form):
        seen.add(case, run_case(case, answers))
    for seed in range(FIRST_SEED + RUNS, FIRST_SEED + RUNS + _MORE_SEEDS):
        if not seen.missing():
            return
        for case in _cases(form, seed):
            seen.add(case, run_case(case, answers))
    missing = seen.missing()
    assert not missing, f"{form.name} proves nothing: it saw no {', no '.join(missing)}"


def run_case(case: Case, answers: Answers) -> Met:
    """Raise MismatchError, or whatever the engine raises, with the way to see it again."""
    random = Random(f"{case.form.name}/{case.mode}/{case.seed}")
    try:
        return CaseRun(case, draw_tables(random), lambda _name: random, answers, EPOCHS).run()
    except Exception as error:
        test = f"tests/properties/test_oracle.py -k '{case.form.name.replace(' ', '-')}'"
        error.add_note(f"in {case}\nagain: CONSTELLATION_ORACLE_SEED={case.seed} python -m pytest {test}")
        raise
