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
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import duckdb

from constellationdb.errors import FeatureNotSupported
from tests.properties.oracle.answers import Answers
from tests.properties.oracle.case import Case, CaseRun, Met, MismatchError
from tests.properties.oracle.choices import Draws, Recorded, shrink
from tests.properties.oracle.forms import Mode
from tests.properties.oracle.generate import Generated, generate
from tests.properties.oracle.script import script
from tests.properties.oracle.tables import draw_tables

EPOCHS = 5
MODES: tuple[Mode, ...] = ("table", "table", "source", "mixed")
_SHRINKS = 600


# What a run of some hundred cases must have met, or it proves nothing about it.
CONSTRUCTS = (
    "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN", "residual", "join without equality",
    "three-way outer join of aggregates", "EXISTS", "NOT EXISTS", "IN", "NOT IN", "quantified", "scalar", "correlated",
    "correlated by inequality", "row IN", "LATERAL aggregate", "LATERAL top-N", "GROUP BY", "global aggregate",
    "HAVING", "aggregate FILTER", "distinct", "sum distinct", "string_agg", "array_agg", "percentile", "grouping sets",
    "GROUPING SETS", "DISTINCT", "DISTINCT ON", "ORDER BY LIMIT", "top-N per key", "OVER framed", "OVER ranged",
    "OVER grouped", "UNION", "UNION ALL",
    "EXCEPT", "EXCEPT ALL", "INTERSECT", "INTERSECT ALL", "WITH", "recursion UNION", "recursion UNION ALL", "unnest",
    "generate_series", "array_agg unnested", "ASOF JOIN", "interval join",
    "IS NOT DISTINCT FROM join", "view on view", "plain view", "TUMBLE", "HOP", "CUMULATE", "SESSION",
    "EMIT ON WINDOW CLOSE", "ALLOW LATENESS", "TLP", "NoREC",
)  # fmt: skip


@dataclass(frozen=True)
class Refused:
    """A query that was not run: by us, or by DuckDB (``ours`` False), which then judges nothing."""

    message: str
    ours: bool


@dataclass
class Defect:
    seed: int
    error: BaseException
    text: str  # the script that shows it, made small

    def __str__(self) -> str:
        return f"seed {self.seed}: {kind_of_error(self.error)}\n{self.text}"


@dataclass
class Tally:
    """What a hunt went through, by form."""

    cases: int = 0
    tags: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    refused_tags: Counter[str] = field(default_factory=Counter)
    unjudged: Counter[str] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    met: Met = field(default_factory=Met)
    borrowing: int = 0  # cases with an operator that borrows
    empty: int = 0  # cases whose every answer was empty
    busy: dict[int, set[int]] = field(default_factory=dict)
    defects: list[Defect] = field(default_factory=list)

    def add(self, case: Case, generated: Generated, result: Met | Refused) -> None:
        self.cases += 1
        match result:
            case Refused(message, ours=True):
                self.refused[message] += 1
                self.refused_tags.update(generated.tags)
            case Refused(message):
                self.unjudged[message] += 1
            case Met():
                self.tags.update(generated.tags or {"plain SELECT"})
                self.modes[case.mode] += 1
                self.met.retractions += result.retractions
                self.met.late += result.late
                self.met.restarts += result.restarts
                self.met.replayed += result.replayed
                self.met.begun += result.begun
                self.met.asked += result.asked
                self.borrowing += result.borrowed
                self.met.answers += result.answers
                self.empty += not result.answers
                if result.busy is not None:
                    self.busy.setdefault(case.workers, set()).update(result.busy)

    @property
    def compared(self) -> int:
        return sum(self.modes.values())

    def missing(self) -> list[str]:
        """What a hunt must have met to prove anything."""
        met = self.met
        counts = {"retraction": met.retractions, "late row": met.late, "restart": met.restarts,
                  "replayed epoch": met.replayed, "answer": met.answers, "job made late": met.begun,
                  "SELECT": met.asked,                  "borrowed row": self.borrowing}  # fmt: skip
        idle = [f"worker {w} of {n}" for n in (1, 2, 3) for w in range(n) if n > 1 and w not in self.busy.get(n, ())]
        unseen = [construct for construct in CONSTRUCTS if not self.tags[construct]]
        return [name for name, count in counts.items() if not count] + idle + unseen

    def report(self) -> str:
        met = self.met
        lines = [
            f"{self.cases} cases: {self.compared} compared, {self.refused.total()} refused,"
            f" {self.unjudged.total()} that DuckDB cannot judge, {len(self.defects)} defects",
            f"{met.answers} rows of answers ({self.empty} cases had none), {met.retractions} retractions,"
            f" {met.late} late rows, {met.restarts} restarts, {met.replayed} epochs replayed,"
            f" {met.begun} jobs made late, {self.borrowing} cases that borrow, {met.asked} also asked as one SELECT",
            f"modes: {_counts(self.modes)}",
            f"forms: {_counts(self.tags)}",
            f"refused: {_counts(self.refused) or 'none'}",
            f"not judged: {_counts(self.unjudged) or 'none'}",
        ]
        return "\n".join(lines)


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counter.most_common())


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

    def one(self, seed: int) -> None:
        draws = Draws(str(seed))
        case, generated = _case(seed, draws)
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
                self._attempt(_case(seed, draws)[0], draws)
            except Exception as found:
                if kind_of_error(found) == known:
                    last = found
                    return draws.recorded()
            return None

        small = shrink(recorded, fails, self._shrinks)
        draws = Draws(str(seed), small)
        case, _ = _case(seed, draws)
        return Defect(seed, last, script(case, draws, EPOCHS, last))


def kind_of_error(error: BaseException) -> str:
    """Two failures of one kind are taken for the same when a case is made smaller."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    place = traceback.extract_tb(cause.__traceback__)[-1] if cause.__traceback__ else None
    told = "" if isinstance(error, MismatchError) else "".join(c for c in str(cause)[:40] if c.isalpha())
    return f"{type(error).__name__} {told} in {place.name if place else ''}"


def _case(seed: int, draws: Draws) -> tuple[Case, Generated]:
    """Everything but the changes: schema, query, mode and number of workers."""
    shape = draws.part("shape")
    mode, workers = shape.choice(MODES), shape.randint(1, 3)
    tables = draw_tables(Draws(str(seed), draws.given).part("tables"))
    generated = generate(f"random query {seed}", tables, mode, draws.part("query"))
    return Case(generated.form, mode, seed, workers), generated


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
    print(hunter.tally.report())
    answers.close()
    missing = hunter.tally.missing() if options.complete else []
    print("".join(f"never met: {name}\n" for name in missing), end="")
    return 1 if hunter.tally.defects or missing else 0


if __name__ == "__main__":
    sys.exit(main())
