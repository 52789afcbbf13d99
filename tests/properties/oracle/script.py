"""A failing case as a person would want it: schema, queries in both words, and the changes epoch by epoch."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping

import pyarrow as pa

from tests.properties.oracle.case import Case, is_source
from tests.properties.oracle.choices import Draws
from tests.properties.oracle.history import WEIGHT, History, Relation
from tests.properties.oracle.tables import draw_tables


def script(case: Case, draws: Draws, epochs: int, error: BaseException) -> str:
    again = Draws("", draws.recorded() if draws.given is None else draws.given)
    relations = {n: Relation(t, is_source(case.mode, n)) for n, t in draw_tables(again.part("tables")).items()}
    text = " ".join(stage.sql for stage in case.form.stages) + "".join(w.relation for w in case.form.windows.values())
    history = History(again.part, relations)
    read = [name for name in relations if f"{name} AS" in text or name in text.split()]
    read += [w.relation for w in case.form.windows.values() if w.relation not in read]
    lines = [f"-- {case.mode}s, {case.workers} workers", *(_schema(n, relations[n]) for n in read)]
    for stage in case.form.stages:
        calls = {name: window.sql() for name, window in case.form.windows.items()}
        kind = "VIEW" if stage.plain else "MATERIALIZED VIEW"
        emit = " EMIT ON WINDOW CLOSE" if stage.on_close else ""
        late = f" ALLOW LATENESS INTERVAL '{case.form.lateness} seconds'" if case.form.lateness else ""
        lines.append(f"CREATE {kind} {stage.name} AS {stage.sql.format(**calls)}{emit}{late};")
        if stage.duck and stage.duck != stage.sql:
            lines.append(f"-- in DuckDB: {stage.duck}")
    for epoch in range(1, epochs + 1):
        lines += _changes(epoch, {n: d for n, d in history.step(epoch).items() if n in read})
    return "\n".join([*lines, *(f"-- {line}" for line in _told(error))])


def _told(error: BaseException) -> list[str]:
    """The error, where it was raised and what it came from."""
    lines = f"{type(error).__name__}: {error}".splitlines()
    lines += traceback.format_tb(error.__traceback__)[-1].splitlines()
    if error.__cause__ is not None:
        lines += _told(error.__cause__)
    return lines


def _schema(name: str, relation: Relation) -> str:
    kind = "SOURCE" if relation.source else "TABLE"
    return f"{kind} {name} ({', '.join(f'{c.name} {c.type}' for c in relation.table.columns)})"


def _changes(epoch: int, deltas: Mapping[str, list[pa.RecordBatch]]) -> Iterator[str]:
    for name, batches in deltas.items():
        for batch in batches:
            columns = [c for c in batch.schema.names if c != WEIGHT]
            weights = batch.column(WEIGHT).to_pylist() if WEIGHT in batch.schema.names else [1] * batch.num_rows
            for row, weight in zip(batch.select(columns).to_pylist(), weights, strict=True):
                shown = {k: v for k, v in row.items() if v is not None}
                yield f"-- epoch {epoch}, {name}: {weight:+} {shown}"
