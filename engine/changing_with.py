"""Statements whose WITH list changes rows: all parts see the same rows, and are done together.

What is read is evaluated before anything is changed. Then the changes are done in Postgres' order, as far as that can
be seen: those whose rows are read, the statement itself, those that nobody reads.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pyarrow as pa

from constellationdb.engine import answers, changes
from constellationdb.engine import batch as zset
from constellationdb.engine.dml import Dml, Target
from constellationdb.engine.kernels.keyindex import KeyIndex
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.pg_catalog.registered import with_names
from constellationdb.engine.result import Result, ResultColumn
from constellationdb.engine.writes import Write
from constellationdb.errors import FeatureNotSupported, SerializationFailure
from constellationdb.planner import statements as st
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.snapshot import SnapshotPlan, SnapshotPlanner

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

_ATTEMPTS = 10  # of a statement that is its own transaction, when others are faster


@dataclass(frozen=True)
class _Change:
    statement: st.ChangingWith
    state: Target
    dml: Dml


@dataclass
class _Parts:
    """``returned``: what the changes give to those who read them."""

    changes: list[_Change] = field(default_factory=list)
    returned: dict[str, PlannedRelation] = field(default_factory=dict)
    select: SnapshotPlan | None = None
    change: tuple[Target, Dml] | None = None


def change(session: Session, statement: st.ChangingWith) -> Result:
    attempts = _ATTEMPTS if session.transaction is None else 1
    for attempt in range(attempts):
        try:
            with session.together():
                return _performed(session, _planned(session, statement))
        except SerializationFailure:
            if attempt == attempts - 1:
                raise
    raise AssertionError("an attempt returns or raises")


def describe(session: Session, statement: st.ChangingWith) -> tuple[ResultColumn, ...] | None:
    parts = _planned(session, statement)
    planned = parts.select if parts.change is None else parts.change[1].returning
    return None if planned is None else answers.columns_of(planned.schema)


def _planned(session: Session, statement: st.ChangingWith) -> _Parts:
    parts = _Parts()
    rest: st.Statement = statement
    while isinstance(rest, st.ChangingWith):
        state = changes.target_of(session, rest.change)
        dml = changes.plan_change(session, rest.change, state, parts.returned)
        parts.changes.append(_Change(rest, state, dml))
        if dml.returning is not None:
            schema = dml.returning.schema
            if len(set(schema.names)) < len(schema.names):
                raise FeatureNotSupported(
                    f'WITH query "{rest.name}" that returns two columns of one name is not supported'
                )
            parts.returned[rest.stand_in] = PlannedRelation(rest.stand_in, "table", schema)
        rest = rest.rest
    if isinstance(rest, st.Select):
        names = tuple((name, name) for name in parts.returned)
        query = replace(rest.query, names=(*names, *rest.query.names))
        relations = {**session.relations, **parts.returned}
        parts.select = SnapshotPlanner(relations, functions=session.functions).plan(query)
    elif isinstance(rest, st.Insert | st.Update | st.Delete | st.Merge):
        state = changes.target_of(session, rest)
        parts.change = state, changes.plan_change(session, rest, state, parts.returned)
    else:
        raise FeatureNotSupported("this statement is not supported behind a WITH list that changes rows")
    return parts


def _performed(session: Session, parts: _Parts) -> Result:
    reading, returned = changes.reading(session), dict[str, pa.Table]()

    def run(planned: SnapshotPlan, extra: dict[str, pa.Table]) -> pa.Table:
        return reading(planned, {**returned, **extra})

    early: list[tuple[Target, Write]] = []
    late: list[tuple[Target, Write]] = []
    for part in parts.changes:
        write = changes.evaluated(session, part.dml, part.state, run)
        shown = part.dml.shown(run, write)
        if shown is not None:
            returned[part.statement.stand_in] = shown
        (early if part.statement.is_read else late).append((part.state, write))
    if parts.change is None:
        assert parts.select is not None
        found = run(parts.select, {})
        _take(session, early + late)
        columns, batches = with_names(session, answers.columns_of(parts.select.schema), found.to_batches())
        return Result("SELECT", columns, iter(batches), lambda rows: f"SELECT {rows}")
    state, dml = parts.change
    write = changes.evaluated(session, dml, state, run)
    shown = dml.shown(run, write)
    _take(session, [*early, (state, write), *late])
    return changes.answer(session, dml.command, write.count, shown)


def _take(session: Session, done: list[tuple[Target, Write]]) -> None:
    gone: dict[str, KeyIndex] = {}
    for state, write in done:
        if write.removed is not None and write.removed.num_rows:
            _check_once(gone.setdefault(state.name, KeyIndex()), write.removed)
        changes.take(session, state, write)


def _check_once(gone: KeyIndex, removed: pa.RecordBatch) -> None:
    """Which of two changes a row keeps is not said in Postgres."""
    rows = encode_rows(zset.canonical_floats(removed), range(removed.num_columns))
    if (gone.probe(rows) >= 0).any():
        raise FeatureNotSupported("changing a row twice in one statement is not supported")
    gone.upsert(rows)
