"""Random databases beside Postgres, many of them.

python -m tests.properties.postgres.hunt --seconds 600 --seed 1000
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields

from constellationdb.errors import FeatureNotSupported
from tests.properties.oracle.choices import Draws, Recorded, shrink
from tests.properties.oracle.constructs import wanted
from tests.properties.oracle.hunt import kind_of_error
from tests.properties.oracle.tally import Defect, listed
from tests.properties.postgres.case import CaseRun, Met, NotJudgedError, draw_case
from tests.properties.postgres.constructs import CONSTRUCTS, ERRORS, STATEMENTS
from tests.properties.postgres.probes import DifferenceError
from tests.properties.postgres.server import Postgres, postgres

_ROUNDS = 4  # further turns of a construct that was met in no comparison worth anything


@dataclass
class Tally:
    cases: int = 0
    met: Met = field(default_factory=Met)
    tags: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    unjudged: Counter[str] = field(default_factory=Counter)
    defects: list[Defect] = field(default_factory=list)

    def add(self, met: Met) -> None:
        for entry in fields(Met):
            setattr(self.met, entry.name, getattr(self.met, entry.name) + getattr(met, entry.name))

    def missing(self) -> list[str]:
        """What must have happened for this to prove anything."""
        met = self.met
        totals = {"restart": met.restarts, "row": met.rows, "row taken back": met.taken_back, "SELECT": met.asked}
        lacks = [name for name, count in totals.items() if not count]
        lacks += [kind for kind in STATEMENTS if not met.statements[kind]]
        lacks += [f"error {code}" for code in ERRORS if not met.errors[code]]
        return lacks + self.unproved()

    def unproved(self) -> list[str]:
        return [construct for construct in CONSTRUCTS if not self.met.proved[construct]]

    def report(self) -> str:
        met = self.met
        return "\n".join(
            (
                f"{self.cases} cases, {self.refused.total()} refused, {self.unjudged.total()} that Postgres refuses,"
                f" {len(self.defects)} defects",
                f"{met.compared} comparisons of {met.rows} rows, {met.failing} that fail in Postgres,"
                f" {met.asked} asked as one SELECT, {met.restarts} restarts, {met.taken_back} rows taken back",
                f"statements that changed rows: {listed(met.statements)}",
                f"refused alike: {listed(met.errors)}",
                f"forms: {listed(self.tags)}",
                f"comparisons that prove: {listed(Counter({name: met.proved[name] for name in CONSTRUCTS}))}",
                f"refused: {listed(self.refused)}",
                f"not judged: {listed(self.unjudged)}",
            )
        )


class Hunter:
    def __init__(self, judge: Postgres, *, shrinks: int) -> None:
        self._judge = judge
        self._shrinks = shrinks
        self.tally = Tally()

    def one(self, seed: int) -> None:
        draws = Draws(str(seed))
        case = draw_case(seed, draws)
        self.tally.cases += 1
        try:
            self.tally.add(CaseRun(case, self._judge).run())
            self.tally.tags.update(case.generated.tags)
        except FeatureNotSupported as refusal:
            self.tally.refused[refusal.message] += 1
        except NotJudgedError as refusal:
            self.tally.unjudged[str(refusal)] += 1
        except Exception as error:
            self.tally.defects.append(self._defect(seed, draws.recorded(), error))

    def complete(self, first: int) -> None:
        """The turns of what was not met yet, from the seed ``first`` on."""
        for seed in range(first, first + _ROUNDS * len(CONSTRUCTS)):
            if wanted(seed, CONSTRUCTS) in self.tally.unproved():
                self.one(seed)

    def _defect(self, seed: int, recorded: Recorded, error: Exception) -> Defect:
        known, last, text = _kind(error), error, ""

        def fails(candidate: Recorded) -> Recorded | None:
            nonlocal last, text
            draws = Draws(str(seed), candidate)
            run = CaseRun(draw_case(seed, draws), self._judge)
            try:
                run.run()
            except (FeatureNotSupported, NotJudgedError):
                return None
            except Exception as found:
                if _kind(found) == known:
                    last, text = found, run.script
                    return draws.recorded()
            return None

        fails(recorded)
        shrink(recorded, fails, self._shrinks)
        return Defect(seed, last, f"{text}\n-- {last}\n-- {last.__cause__ or ''}", _kind(last))


def _kind(error: Exception) -> str:
    return str(error)[:12] if isinstance(error, DifferenceError) else kind_of_error(error)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="hunt", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--seconds", type=float, default=300.0, help="stop after so long")
    parser.add_argument("--cases", type=int, default=1_000_000, help="stop after so many")
    parser.add_argument("--defects", type=int, default=5, help="stop after so many defects")
    parser.add_argument("--shrinks", type=int, default=200, help="how often to try to make a defect smaller")
    parser.add_argument("--complete", action="store_true", help="fail where something was never met")
    options = parser.parse_args(arguments)
    until = time.monotonic() + options.seconds
    with postgres() as judge:
        hunter = Hunter(judge, shrinks=options.shrinks)
        for seed in range(options.seed, options.seed + options.cases):
            before = len(hunter.tally.defects)
            hunter.one(seed)
            if len(hunter.tally.defects) > before:
                print(hunter.tally.defects[-1], flush=True)
            if time.monotonic() > until or len(hunter.tally.defects) >= options.defects:
                break
        if options.complete:
            hunter.complete(options.seed + options.cases)
    print(hunter.tally.report())
    missing = hunter.tally.missing() if options.complete else []
    print("".join(f"never met: {name}\n" for name in missing), end="")
    return 1 if hunter.tally.defects or missing else 0


if __name__ == "__main__":
    sys.exit(main())
