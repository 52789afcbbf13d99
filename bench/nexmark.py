"""``python -m bench nexmark``: both engines, query by query, and the table of what they did."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.child import measure
from bench.queries import Query
from bench.run import Outcome, Run, Side
from bench.streams import rows_of
from bench.table import Table


@dataclass(frozen=True)
class Line:
    """One query's figures. ``rows_per_s`` counts the rows of the streams that the query reads."""

    query: str
    input: str
    events: int
    seconds: float
    rows_per_s: int
    duckdb_seconds: float
    ratio_to_duckdb: float
    answer_ok: bool
    peak_rss_mb: float


def compare(queries: Sequence[Query], events: int, form: str, core: int, repeats: int) -> Iterator[Line]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for query in queries:

            def outcome(side: Side, query: Query = query) -> Outcome:
                return measure(Run(side, query.name, events, form, Path(folder), core, repeats))

            yield line_of(query, events, form, outcome("constellation"), outcome("duckdb"))


def line_of(query: Query, events: int, form: str, ours: Outcome, theirs: Outcome) -> Line:
    rows = sum(rows_of(stream, events) for stream in query.streams)
    right = (ours.rows, ours.checksum) == (theirs.rows, theirs.checksum) and ours.rows > 0
    return Line(
        query.name,
        form,
        events,
        round(ours.seconds, 4),
        round(rows / ours.seconds),
        round(theirs.seconds, 4),
        round(theirs.seconds / ours.seconds, 3),
        right,
        ours.peak_rss_mb,
    )


def table_of(lines: Sequence[Line]) -> str:
    table = Table(("query", "rows/s", "seconds", "DuckDB s", "ratio", "answer", "RSS MB"))
    for line in lines:
        table.add(
            line.query,
            f"{line.rows_per_s:,}",
            f"{line.seconds:.3f}",
            f"{line.duckdb_seconds:.3f}",
            f"{line.ratio_to_duckdb:.2f}",
            "right" if line.answer_ok else "WRONG",
            f"{line.peak_rss_mb:.0f}",
        )
    return table.text()
