"""Random queries over random data on random schedules; the hunt for silent wrong answers.

    python -m tests.properties.oracle.hunt --seconds 600 --seed 1000

A refused query (0A000) is counted by what was missing. A wrong answer or any other error is
a defect: it is made small and printed as a script, with the seed to see it again.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Iterable, Sequence

import duckdb

from constellationdb.errors import FeatureNotSupported
from tests.properties.oracle.answers import Answers
from tests.properties.oracle.case import Case, CaseRun, Met, MismatchError
from tests.properties.oracle.choices import Draws, Recorded, shrink
from tests.properties.oracle.constructs import CONSTRUCTS, wanted
from tests.properties.oracle.forms import Mode
from tests.properties.oracle.generate import Generated, generate
from tests.properties.oracle.script import script
from tests.properties.oracle.tables import draw_tables
from tests.properties.oracle.tally import Defect, Refused, Tally

EPOCHS = 5
MODES: tuple[Mode, ...] = ("table", "table", "source", "mixed")
_SHRINKS = 600
_ROUNDS = 8  # further turns of a construct that was met in no case worth anything


class Hunter:
    def __init__(self, answers: Answers, *, shrinks: int = _SHRINKS) -> None:
        self._answers = answers
        self._shrinks = shrinks
        self.tally = Tally()

    def hunt(self, seeds: Iterable[int], until: float = float("inf")) -> Tally:
        for seed in seeds:
            if time.monotonic() > until:
                break
            self.one(seed)
        return self.tally

    def complete(self, first: int) -> Tally:
        """The turns of what was not met yet, from the seed ``first`` on."""
        for seed in range(first, first + _ROUNDS * len(CONSTRUCTS)):
            if wanted(seed) in self.tally.unproved():
                self.one(seed)
        return self.tally

    def one(self, seed: int) -> None:
        draws = Draws(str(seed))
        case, generated = draw_case(seed, draws)
        try:
            self.tally.add(case, generated, self._attempt(case, draws))
        except Exception as error:
            self.tally.cases += 1
            self.tally.defects.append(self._defect(seed, draws.recorded(), error))

    def _attempt(self, case: Case, draws: Draws) -> Met | Refused:
        tables = draw_tables(draws.part("tables"))
        try:
            run = CaseRun(case, tables, draws.part, self._answers, EPOCHS)
        except FeatureNotSupported as refusal:
            return Refused(refusal.message, ours=True)
        try:
            return run.run()
        except duckdb.Error as error:
            return Refused(str(error).splitlines()[0][:100], ours=False)

    def _defect(self, seed: int, recorded: Recorded, error: Exception) -> Defect:
        known, last = kind_of_error(error), error

        def fails(candidate: Recorded) -> Recorded | None:
            nonlocal last
            draws = Draws(str(seed), candidate)
            try:
                self._attempt(draw_case(seed, draws)[0], draws)
            except Exception as found:
                if kind_of_error(found) == known:
                    last = found
                    return draws.recorded()
            return None

        small = shrink(recorded, fails, self._shrinks)
        draws = Draws(str(seed), small)
        case, _ = draw_case(seed, draws)
        return Defect(seed, last, script(case, draws, EPOCHS, last), kind_of_error(last))


def kind_of_error(error: BaseException) -> str:
    """Two failures of one kind are taken for the same when a case is made smaller."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    place = traceback.extract_tb(cause.__traceback__)[-1] if cause.__traceback__ else None
    told = "" if isinstance(error, MismatchError) else "".join(c for c in str(cause)[:40] if c.isalpha())
    return f"{type(error).__name__} {told} in {place.name if place else ''}"


def draw_case(seed: int, draws: Draws) -> tuple[Case, Generated]:
    """Everything but the changes: schema, query, mode and number of workers; with the construct whose turn it is."""
    tables = draw_tables(Draws(str(seed), draws.given).part("tables"))

    def drawn() -> tuple[Case, Generated]:
        shape = draws.part("shape")
        mode, workers, again = shape.choice(MODES), shape.randint(1, 3), shape.random() < 0.3
        generated = generate(f"random query {seed}", tables, mode, draws.part("query"))
        return Case(generated.form, mode, seed, workers, again=again), generated

    return draws.until(("shape", "query"), drawn, lambda made: wanted(seed) in made[1].tags)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="hunt", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--seconds", type=float, default=300.0, help="stop after so long")
    parser.add_argument("--cases", type=int, default=1_000_000, help="stop after so many")
    parser.add_argument("--defects", type=int, default=5, help="stop after so many defects")
    parser.add_argument("--shrinks", type=int, default=_SHRINKS, help="how often to try to make a defect smaller")
    parser.add_argument("--complete", action="store_true", help="fail where something was never met")
    options = parser.parse_args(arguments)
    answers = Answers()
    hunter, until = Hunter(answers, shrinks=options.shrinks), time.monotonic() + options.seconds
    for seed in range(options.seed, options.seed + options.cases):
        before = len(hunter.tally.defects)
        hunter.hunt([seed], until)
        if len(hunter.tally.defects) > before:
            print(hunter.tally.defects[-1], flush=True)
        if time.monotonic() > until or len(hunter.tally.defects) >= options.defects:
            break
    if options.complete:
        hunter.complete(options.seed + options.cases)
    print(hunter.tally.report())
    answers.close()
    missing = hunter.tally.missing() if options.complete else []
    print("".join(f"never met: {name}\n" for name in missing), end="")
    return 1 if hunter.tally.defects or missing else 0


if __name__ == "__main__":
    sys.exit(main())
