"""MERGE as queries: which rows of source and target meet, what becomes of each pair.

source rows, numbered ┐
                      ├─ LEFT JOIN ON condition ─▶ pairs with the number of their WHEN clause
target rows, numbered ┘
each clause's expressions over its own pairs alone
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from constellationdb.engine import batch as zset
from constellationdb.engine.assignment import assigned, check_assignments
from constellationdb.engine.column_defaults import ColumnDefaults
from constellationdb.engine.dml import Dml, DmlPlanner, Target
from constellationdb.engine.set_clauses import (
    NUMBER,
    NUMBER_FIELD,
    asked,
    batch_of,
    changed,
    check_updated,
    column_of,
    defaulted,
    is_default,
    numbered,
)
from constellationdb.engine.tables import TableRules
from constellationdb.engine.writes import Run, Write
from constellationdb.errors import CardinalityViolation, SqlSyntaxError
from constellationdb.planner import statements as st
from constellationdb.planner.from_items import from_items
from constellationdb.planner.references import Names
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.rewrite.qualified import TARGET, stand_in
from constellationdb.planner.snapshot import SnapshotPlan
from constellationdb.planner.syntax.edits import identifier

_SOURCE = "#source"


@dataclass(frozen=True)
class _Planned:
    """A WHEN clause; ``plan`` computes ``columns`` of the target, unless there is nothing to compute."""

    action: st.MergeAction
    plan: SnapshotPlan | None
    columns: list[int]
    absent: list[bool]  # which of the columns have their default


def merge(planner: DmlPlanner, statement: st.Merge, state: TableRules) -> Dml:
    return _Merging(planner, statement, state).dml()


class _Merging:
    def __init__(self, planner: DmlPlanner, statement: st.Merge, state: TableRules) -> None:
        self._planner = planner
        self._statement = statement
        self._schema = state.schema
        self._shown = state.relation.shown
        self._name = state.name
        self._alias = identifier(statement.alias or state.relation.shown)
        self._source_alias = identifier(statement.source_alias)
        self._with = statement.with_clause
        self._defaults: ColumnDefaults = planner.defaults(state.relation)
        self._source = planner.planned(f"{statement.with_clause} SELECT * FROM {statement.source}", {}, "SELECT")
        self._extra = {
            _SOURCE: PlannedRelation(_SOURCE, "table", self._source.schema.append(NUMBER_FIELD)),
            TARGET: PlannedRelation(TARGET, "table", self._schema.append(NUMBER_FIELD)),
        }
        self._names = _named_source(statement)
        self._pairs = self._plan_pairs()
        self._clauses = [self._plan_clause(action) for action in statement.actions]

    def dml(self) -> Dml:
        return Dml(self._name, self._evaluate, None, "MERGE")

    def _plan_pairs(self) -> SnapshotPlan:
        place = f'"{TARGET}"."{NUMBER}"'
        cases = []
        for number, action in enumerate(self._statement.actions):
            met = f"{place} IS {'NOT ' if action.matched else ''}NULL"
            more = "" if action.condition is None else f" AND ({action.condition})"
            cases.append(f"WHEN {met}{more} THEN {number}")
        join = "LEFT JOIN" if any(not action.matched for action in self._statement.actions) else "JOIN"
        return self._planner.planned(
            f'{self._with} SELECT "{_SOURCE}"."{NUMBER}" AS s, {place} AS t,'
            f" CASE {' '.join(cases)} END AS clause"
            f' FROM "{_SOURCE}" AS {self._source_alias} {join} "{TARGET}" AS {self._alias}'
            f" ON {self._statement.condition}",
            self._extra,
            "SELECT",
            self._names,
        )

    def _plan_clause(self, action: st.MergeAction) -> _Planned:
        match action.kind:
            case "update":
                return self._plan_update(action)
            case "insert":
                return self._plan_insert(action)
            case _:
                return _Planned(action, None, [], [])

    def _plan_update(self, action: st.MergeAction) -> _Planned:
        columns = [column_of(self._schema, name, self._shown, None) for name, _ in action.set]
        for place, index in enumerate(columns):
            if index in columns[:place]:
                name = self._schema.field(index).name
                raise SqlSyntaxError(f'multiple assignments to same column "{name}"')
        check_updated(self._defaults.relation, action.set)
        plan = self._plan_values([asked(text) for _, text in action.set], columns, matched=True)
        return _Planned(action, plan, columns, defaulted(action.set))

    def _plan_insert(self, action: st.MergeAction) -> _Planned:
        values = action.values
        if values is None:
            return _Planned(action, None, [], [])
        listed = [column_of(self._schema, name, self._shown, None) for name in action.columns]
        columns = listed or list(range(len(self._schema)))
        if len(values) > len(columns):
            raise SqlSyntaxError("INSERT has more expressions than target columns")
        if listed and len(values) < len(columns):
            raise SqlSyntaxError("INSERT has more target columns than expressions")
        columns = columns[: len(values)]
        relation = self._defaults.relation
        absent = []
        for text, index in zip(values, columns, strict=True):
            name = self._schema.field(index).name
            self._planner.check_given(action.overriding, relation, name, all_default=is_default(text))
            absent.append(is_default(text) or self._planner.ignored(action.overriding, relation, name))
        plan = self._plan_values([asked(text) for text in values], columns, matched=False)
        return _Planned(action, plan, columns, absent)

    def _plan_values(self, texts: list[str], columns: list[int], *, matched: bool) -> SnapshotPlan:
        listed = ", ".join(f"({text}) AS x{i}" for i, text in enumerate(texts))
        number = f'"{_SOURCE}"."{NUMBER}"'
        join = f' JOIN "{TARGET}" AS {self._alias} ON {number} = "{TARGET}"."{NUMBER}"' if matched else ""
        sql = f'{self._with} SELECT {number} AS n, {listed} FROM "{_SOURCE}" AS {self._source_alias}{join}'
        planned = self._planner.planned(sql, self._extra, "UPDATE" if matched else "VALUES", self._names)
        check_assignments(planned, 1, self._schema, columns)
        return planned

    # -- running it ----------------------------------------------------------------------------

    def _evaluate(self, run: Run, target: Target, epoch: int) -> Write:
        assert isinstance(target, TableRules)
        source = batch_of(run(self._source, {}))
        rows = target.everything(epoch)
        pairs = batch_of(run(self._pairs, {_SOURCE: numbered(source), TARGET: numbered(rows)}))
        clause = pairs.column(2).fill_null(-1).to_numpy(zero_copy_only=False)
        from_source = pairs.column(0).to_numpy(zero_copy_only=False)
        from_target = pairs.column(1).fill_null(-1).to_numpy(zero_copy_only=False)
        removed, added, touched = [rows.slice(0, 0)], [rows.slice(0, 0)], []
        count = 0
        for number, planned in enumerate(self._clauses):
            chosen = np.flatnonzero(clause == number)
            if not len(chosen) or planned.action.kind == "nothing":
                continue
            count += len(chosen)
            given = zset.take(source, from_source[chosen])
            if planned.action.kind == "insert":
                added.append(self._inserted(run, planned, given))
                continue
            touched.append(from_target[chosen])
            before = zset.take(rows, from_target[chosen])
            removed.append(before)
            if planned.action.kind == "update":
                added.append(self._updated(run, planned, given, before))
        _check_touched_once(touched)
        return Write(pa.concat_batches(removed), pa.concat_batches(added), count)

    def _values(self, run: Run, planned: _Planned, tables: dict[str, pa.Table], count: int) -> list[pa.Array]:
        """The clause's columns, in the order of the pairs."""
        assert planned.plan is not None
        answer = batch_of(run(planned.plan, tables))
        order = np.argsort(answer.column(0).to_numpy(zero_copy_only=False), kind="stable")
        assert len(order) == count
        return list(zset.take(answer, order).columns[1:])

    def _updated(self, run: Run, planned: _Planned, given: pa.RecordBatch, before: pa.RecordBatch) -> pa.RecordBatch:
        tables = {_SOURCE: numbered(given), TARGET: numbered(before)}
        values = self._values(run, planned, tables, before.num_rows)
        return changed(before, values, planned.columns, self._defaults, planned.absent, self._planner.zone)

    def _inserted(self, run: Run, planned: _Planned, given: pa.RecordBatch) -> pa.RecordBatch:
        if planned.plan is None:
            return self._defaults.complete({}, given.num_rows)
        values = self._values(run, planned, {_SOURCE: numbered(given)}, given.num_rows)
        found = {
            index: assigned(value, self._schema.field(index), self._planner.zone)
            for value, index, absent in zip(values, planned.columns, planned.absent, strict=True)
            if not absent
        }
        return self._defaults.complete(found, given.num_rows)


def _named_source(statement: st.Merge) -> Names:
    (item,) = from_items(statement.with_clause, statement.source, statement.meant)
    return () if item.relation is None else ((stand_in(_SOURCE), item.relation),)


def _check_touched_once(touched: list[NDArray[np.int64]]) -> None:
    rows = np.concatenate(touched) if touched else np.zeros(0, np.int64)
    if len(np.unique(rows)) < len(rows):
        raise CardinalityViolation(
            "MERGE command cannot affect row a second time",
            hint="Ensure that not more than one source row matches any one target row.",
        )
