"""What a hunt went through, counted; and what it should have met and did not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.properties.oracle.case import Case, Met
from tests.properties.oracle.constructs import CONSTRUCTS, counts
from tests.properties.oracle.generate import Generated

_SUMMED = ("retractions", "late", "restarts", "replayed", "begun", "asked", "again", "answers")


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
    kind: str

    def __str__(self) -> str:
        return f"seed {self.seed}: {self.kind}\n{self.text}"


@dataclass
class Tally:
    """``tags``: the compared cases by construct; ``proved``: those whose answers had what makes them worth anything."""

    cases: int = 0
    tags: Counter[str] = field(default_factory=Counter)
    proved: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
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
            case Refused(message):
                self.unjudged[message] += 1
            case Met():
                self._add_met(case, generated.tags or frozenset({"plain SELECT"}), result)

    def _add_met(self, case: Case, tags: frozenset[str], met: Met) -> None:
        self.tags.update(tags)
        self.proved.update(
            tag for tag in tags if counts(tag, answers=met.answers, taken_back=met.taken_back, late=met.late)
        )
        self.modes[case.mode] += 1
        for name in _SUMMED:
            setattr(self.met, name, getattr(self.met, name) + getattr(met, name))
        self.borrowing += met.borrowed
        self.empty += not met.answers
        if met.busy is not None:
            self.busy.setdefault(case.workers, set()).update(met.busy)

    @property
    def compared(self) -> int:
        return sum(self.modes.values())

    def unproved(self) -> list[str]:
        return [construct for construct in CONSTRUCTS if not self.proved[construct]]

    def missing(self) -> list[str]:
        """What a hunt must have met to prove anything."""
        met = self.met
        totals = {"retraction": met.retractions, "late row": met.late, "restart": met.restarts,
                  "replayed epoch": met.replayed, "answer": met.answers, "job made late": met.begun,
                  "SELECT": met.asked, "epoch run again": met.again, "borrowed row": self.borrowing}  # fmt: skip
        idle = [f"worker {w} of {n}" for n in (1, 2, 3) for w in range(n) if n > 1 and w not in self.busy.get(n, ())]
        return [name for name, count in totals.items() if not count] + idle + self.unproved()

    def report(self) -> str:
        met = self.met
        return "\n".join(
            (
                f"{self.cases} cases: {self.compared} compared, {self.refused.total()} refused,"
                f" {self.unjudged.total()} that DuckDB cannot judge, {len(self.defects)} defects",
                f"{met.answers} rows of answers ({self.empty} cases had none), {met.retractions} retractions,"
                f" {met.late} late rows, {met.restarts} restarts, {met.replayed} epochs replayed, {met.begun} jobs made"
                f" late, {met.again} epochs run again in other batches by other workers, {self.borrowing} cases that"
                f" borrow, {met.asked} also asked as one SELECT",
                f"modes: {listed(self.modes)}",
                f"forms: {listed(self.tags)}",
                f"seldom proved: {listed(Counter(dict(self.proved.most_common()[-20:])))}",
                f"refused: {listed(self.refused)}",
                f"not judged: {listed(self.unjudged)}",
            )
        )


def listed(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counter.most_common()) or "none"
