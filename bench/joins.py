"""``python -m bench joins``: views that join two changing tables, from the tables' changes to the view's contents.

Each epoch updates as many rows of either table as ``changes`` says, half of them old rows that go and half new ones
that come. What is timed, in CPU seconds, is the view: its operators, the shared indexes they borrow, and its own
contents. The answer is compared with DuckDB's over the tables as they are in the end, and so is the time that DuckDB
takes for that one answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.changing import View
from bench.child import pin
from bench.sinks import Answer
from bench.table import Table

_PAIRS = "SELECT a.id, a.v, b.id AS bid, b.v AS bv FROM a {} JOIN b ON a.k = b.k"
CASES = {
    "inner": _PAIRS.format("INNER"),
    "left": _PAIRS.format("LEFT"),
    "full": _PAIRS.format("FULL"),
    "left residual": _PAIRS.format("LEFT") + " AND a.v < b.v",
    "semi": "SELECT id, v FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.k = a.k)",
    "anti": "SELECT id, v FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.k = a.k)",
}


@dataclass(frozen=True)
class Line:
    case: str
    state: int  # rows of each table
    changes: int  # of both tables in one epoch
    changes_per_s: int
    ms_per_epoch: float
    duckdb_seconds: float
    epochs_per_duckdb_answer: float  # how often the view is brought up to date in the time of one answer of DuckDB
    answer_ok: bool


def measure(names: Sequence[str], state: int, changes: int, epochs: int, core: int) -> Iterator[Line]:
    """Each case with many changes an epoch. What few cost as the tables grow is told by ``python -m bench curves``."""
    pin(core)
    for name in names:
        yield _line(name, state, changes, epochs)


def _line(name: str, state: int, changes: int, epochs: int) -> Line:
    sql = CASES[name]
    view = View(sql, state, state)
    view.step(view.updates(changes))  # the first takes the memory that the others use again
    seconds = sum(view.step(view.updates(changes)) for _ in range(epochs))
    types = ["BIGINT"] * (2 if name in ("semi", "anti") else 4)
    ours, theirs = Answer(types), Answer(types)
    duckdb_seconds = view.duckdb_answer(sql, theirs)
    view.answer(ours)
    return Line(
        name,
        state,
        changes,
        round(epochs * changes / seconds),
        round(1000 * seconds / epochs, 2),
        round(duckdb_seconds, 4),
        round(duckdb_seconds * epochs / seconds, 2),
        ours.checksum() == theirs.checksum() and ours.checksum().rows > 0,
    )


def table_of(lines: Sequence[Line]) -> str:
    table = Table(("case", "rows a table", "changes", "changes/s", "ms/epoch", "DuckDB s", "epochs/DuckDB", "answer"))
    for line in lines:
        table.add(
            line.case,
            f"{line.state:,}",
            f"{line.changes:,}",
            f"{line.changes_per_s:,}",
            f"{line.ms_per_epoch:.2f}",
            f"{line.duckdb_seconds:.3f}",
            f"{line.epochs_per_duckdb_answer:.2f}",
            "ok" if line.answer_ok else "WRONG",
        )
    return table.text()
