"""INSERT, UPDATE and DELETE as queries: which rows go, which come.

    UPDATE t SET x = e WHERE p     SELECT t.*, e FROM t WHERE p       removed: the first, added: with e put in
    DELETE FROM t WHERE p          SELECT t.* FROM t WHERE p          removed
    INSERT … SELECT q              q                                   added
    ON CONFLICT DO UPDATE          like UPDATE, over the rows there joined to the proposed ones

The queries are planned once, when the statement is; running one needs only the
tables' rows, which a ``Tables`` function gives as of the statement.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from constellationdb.catalog.model import Relation
from constellationdb.catalog.text import cast_to_text
from constellationdb.catalog.text.style import Style
from constellationdb.catalog.text.zones import UTC_ZONE, Zone, zone_named
from constellationdb.engine import batch as zset
from constellationdb.engine.assignment import by_clocks, check_assignable
from constellationdb.engine.kernels.groupby import group
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.lengths import fitted
from constellationdb.engine.literals import to_array
from constellationdb.engine.reads import evaluate_constant
from constellationdb.engine.rowstore import empty
from constellationdb.engine.sources import SourceState
from constellationdb.engine.tables import TableRules
from constellationdb.engine.writes import Write
from constellationdb.errors import (
    CardinalityViolation,
    DuplicateColumn,
    InvalidColumnReference,
    SqlSyntaxError,
    UndefinedColumn,
)
from constellationdb.planner import statements as st
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.rewrite.qualified import OURS as TABLE
from constellationdb.planner.snapshot import SnapshotPlan, SnapshotPlanner
from constellationdb.planner.syntax.edits import identifier

Target: TypeAlias = TableRules | SourceState

# Runs a planned query: (plan, extra tables by relation name) → rows.
Run = Callable[[SnapshotPlan, dict[str, pa.Table]], pa.Table]
# Plans a SELECT over the catalog and extra relations; the clause is what its list stands for.
Plan = Callable[[st.Query, dict[str, PlannedRelation], str], SnapshotPlan]

_TARGET, _PROPOSED, _CHANGED, _NUMBER = "#target", "#excluded", "#changed", "#row"


@dataclass(frozen=True)
class _Update:
    """What ON CONFLICT DO UPDATE asks, and the columns that its answers go to."""

    plan: SnapshotPlan
    columns: list[int]
    zone: Zone


@dataclass(frozen=True)
class Dml:
    """A DML statement ready to run, any number of times: ``evaluate(run, state, epoch)`` gives its effect."""

    table: str
    evaluate: Callable[[Run, Target, int], Write]
    returning: SnapshotPlan | None
    command: str
    constant: pa.RecordBatch | None = None  # an INSERT of just these rows, which looks at nothing

    def shown(self, run: Run, write: Write) -> pa.Table | None:
        """The rows of RETURNING."""
        if self.returning is None:
            return None
        rows = write.shown if write.shown is not None else write.added
        return run(self.returning, {_CHANGED: _table(rows, self.returning)})


def _table(rows: pa.RecordBatch | None, planned: SnapshotPlan) -> pa.Table:
    assert rows is not None, planned
    return pa.Table.from_batches([rows])


def column_of(schema: pa.Schema, name: str, table: str, position: int | None) -> int:
    index: int = schema.get_field_index(name)
    if index < 0:
        raise UndefinedColumn(f'column "{name}" of relation "{table}" does not exist', position=position)
    return index


def plan_constant(query: st.Query, extra: dict[str, PlannedRelation], clause: str) -> SnapshotPlan:
    """Plan a SELECT that reads nothing but ``extra``."""
    return SnapshotPlanner(extra, clause).plan(query)


class DmlPlanner:
    """Plans DML; ``plan`` knows the catalog. ``zone``: the time zone of the session."""

    def __init__(self, plan: Plan, zone: str = "UTC") -> None:
        self._plan = plan
        self._zone_name = zone
        self._zone = zone_named(zone) or UTC_ZONE

    def _planned(self, text: str, extra: dict[str, PlannedRelation], clause: str) -> SnapshotPlan:
        return self._plan(st.Query(text, zone=self._zone_name), extra, clause)

    # -- INSERT --------------------------------------------------------------------------------

    def insert(self, statement: st.Insert, state: Target) -> Dml:
        columns = self._columns(statement, state)
        constant = None
        if statement.rows is not None:
            constant = self._constant_rows(statement, state, columns)
            source = _always(constant)
        elif statement.query is None:
            source = self._default_row(state)
        else:
            source = self._selected_rows(statement, state, columns)
        conflict = self._conflict(statement, state)

        def evaluate(run: Run, target: Target, epoch: int) -> Write:
            rows = source(run)
            if conflict is None or isinstance(target, SourceState):
                return Write(None, rows, rows.num_rows, rows)
            return conflict(run, target, rows, epoch)

        returning = self._returning(statement.returning, state.relation.shown, state)
        if conflict is not None or returning is not None:
            constant = None
        return Dml(state.name, evaluate, returning, "INSERT", constant)

    def _columns(self, statement: st.Insert, state: Target) -> list[int]:
        position, schema = statement.table_position + 1, state.schema
        indexes = [column_of(schema, name, state.relation.shown, position) for name in statement.columns]
        for i, index in enumerate(indexes):
            if index in indexes[:i]:
                raise DuplicateColumn(f'column "{statement.columns[i]}" specified more than once', position=position)
        return indexes or list(range(len(schema)))

    def _constant_rows(self, statement: st.Insert, state: Target, columns: list[int]) -> pa.RecordBatch:
        assert statement.rows is not None
        widest = max(map(len, statement.rows), default=0)
        if widest > len(columns):
            raise SqlSyntaxError("INSERT has more expressions than target columns", position=statement.offset + 1)
        if statement.columns and widest < len(columns):
            raise SqlSyntaxError("INSERT has more target columns than expressions", position=statement.offset + 1)
        defaults = self.defaults(state.relation)
        arrays = []
        for index, column in enumerate(state.schema):
            place = columns.index(index) if index in columns else -1
            values = [
                defaults.get(column.name) if place < 0 or place >= len(row) or isinstance(row[place], st.Default)
                else row[place]
                for row in statement.rows
            ]  # fmt: skip
            arrays.append(to_array(values, column, self._zone))
        return fitted(pa.RecordBatch.from_arrays(arrays, schema=state.schema), state.relation)

    def defaults(self, relation: Relation) -> dict[str, object]:
        """Each column's DEFAULT as a value: constant expressions, evaluated now, in the zone they were written in."""
        found = {}
        for column in relation.columns:
            if column.default is not None:
                target = relation.schema.field(column.name)
                query = st.Query(f"SELECT {column.default} AS value", zone=relation.zone)
                planned = self._plan(query, {}, "DEFAULT")
                _check_assignments(planned, 0, relation.schema, [relation.schema.get_field_index(column.name)])
                value = evaluate_constant(planned)
                utc = relation.zone == self._zone_name == "UTC"
                found[column.name] = value if utc else _in_zone(value, target, relation.zone)
        return found

    def check_defaults(self, relation: Relation) -> None:
        """Whether every DEFAULT is a value of its column."""
        for name, value in self.defaults(relation).items():
            to_array([value], relation.schema.field(name))

    def _default_row(self, state: Target) -> Callable[[Run], pa.RecordBatch]:
        defaults = self.defaults(state.relation)
        row = [to_array([defaults.get(f.name)], f) for f in state.schema]
        return _always(fitted(pa.RecordBatch.from_arrays(row, schema=state.schema), state.relation))

    def _selected_rows(
        self, statement: st.Insert, state: Target, columns: list[int]
    ) -> Callable[[Run], pa.RecordBatch]:
        assert statement.query is not None
        planned = self._planned(statement.query.text, {}, "SELECT")
        if len(planned.schema) > len(columns):
            raise SqlSyntaxError("INSERT has more expressions than target columns", position=statement.offset + 1)
        if statement.columns and len(planned.schema) < len(columns):
            raise SqlSyntaxError("INSERT has more target columns than expressions", position=statement.offset + 1)
        _check_assignments(planned, 0, state.schema, columns[: len(planned.schema)])
        defaults = self.defaults(state.relation)

        def rows(run: Run) -> pa.RecordBatch:
            table = run(planned, {})
            arrays = []
            for index, column in enumerate(state.schema):
                place = columns.index(index) if index in columns else -1
                if 0 <= place < table.num_columns:
                    arrays.append(_assigned(table.column(place), column, self._zone))
                else:
                    arrays.append(to_array([defaults.get(column.name)] * table.num_rows, column))
            return fitted(pa.RecordBatch.from_arrays(arrays, schema=state.schema), state.relation)

        return rows

    def _conflict(
        self, statement: st.Insert, state: Target
    ) -> Callable[[Run, TableRules, pa.RecordBatch, int], Write] | None:
        clause = statement.on_conflict
        key = tuple(state.relation.primary_key)
        if clause is None or not (key or clause.target or clause.set):  # without a key nothing conflicts
            return None
        if not key or (clause.target and set(clause.target) != set(key)):
            raise InvalidColumnReference(
                "there is no unique or exclusion constraint matching the ON CONFLICT specification",
                position=statement.table_position + 1,
            )
        assert isinstance(state, TableRules)
        if not clause.set:
            return _do_nothing
        update = self._conflict_query(clause, state)
        return lambda run, target, rows, epoch: _do_update(run, target, rows, epoch, update)

    def _conflict_query(self, clause: st.OnConflict, state: TableRules) -> _Update:
        alias = identifier(state.relation.shown)
        number = pa.field(_NUMBER, pa.int64())
        extra = {name: PlannedRelation(name, "table", state.schema.append(number)) for name in (_TARGET, _PROPOSED)}
        indexes = [column_of(state.schema, c, state.relation.shown, None) for c, _ in clause.set]
        expressions = ", ".join(f"({text}) AS s{i}" for i, (_, text) in enumerate(clause.set))
        where = f" WHERE {clause.where}" if clause.where else ""
        sql = (
            f'SELECT {alias}."{_NUMBER}" AS n, {expressions} FROM "{_TARGET}" AS {alias}'
            f' JOIN "{_PROPOSED}" AS excluded ON {alias}."{_NUMBER}" = excluded."{_NUMBER}"{where}'
        )
        planned = self._planned(sql, extra, "UPDATE")
        _check_assignments(planned, 1, state.schema, indexes)
        return _Update(planned, indexes, self._zone)

    # -- UPDATE and DELETE ---------------------------------------------------------------------

    def update(self, statement: st.Update, state: TableRules) -> Dml:
        alias = identifier(statement.alias or state.relation.shown)
        position = statement.table_position + 1
        indexes = [column_of(state.schema, c, state.relation.shown, position) for c, _ in statement.set]
        for place, index in enumerate(indexes):
            if index in indexes[:place]:
                name = state.schema.field(index).name
                raise SqlSyntaxError(f'multiple assignments to same column "{name}"', position=position)
        own = f'"{TABLE}"' if statement.from_clause else alias
        old = ", ".join(f"{own}.{identifier(f.name)} AS o{i}" for i, f in enumerate(state.schema))
        written = {c.name: c.default or "NULL" for c in state.relation.columns}
        defaulted = [text.strip().lower() == "default" for _, text in statement.set]
        if foreign := state.relation.zone != self._zone_name and any(defaulted):
            written, values = {}, self.defaults(state.relation)
        texts = [
            written.get(column, "NULL") if default else text
            for (column, text), default in zip(statement.set, defaulted, strict=True)
        ]
        new = ", ".join(f"({text}) AS n{i}" for i, text in enumerate(texts))
        more = f", {statement.from_clause}" if statement.from_clause else ""
        where = f" WHERE {statement.where}" if statement.where else ""
        sql = f'SELECT {old}, {new} FROM "{TABLE}" AS {alias}{more}{where}'
        planned = self._planned(sql, {}, "UPDATE")
        width = len(state.schema)
        _check_assignments(planned, width, state.schema, indexes)

        def evaluate(run: Run, target: Target, epoch: int) -> Write:  # noqa: ARG001
            rows = _batch(run(planned, {}))
            before = pa.RecordBatch.from_arrays(rows.columns[:width], schema=target.schema)
            columns = list(before.columns)
            for place, index in enumerate(indexes):
                field = target.schema.field(index)
                if foreign and defaulted[place]:
                    columns[index] = to_array([values.get(field.name)] * rows.num_rows, field)
                else:
                    columns[index] = _assigned(rows.column(width + place), field, self._zone)
            after = fitted(pa.RecordBatch.from_arrays(columns, schema=target.schema), state.relation)
            if statement.from_clause:
                before, after = _once_each(before, after)
            return Write(before, after, before.num_rows, after)

        return Dml(
            state.name,
            evaluate,
            self._returning(statement.returning, statement.alias or state.relation.shown, state),
            "UPDATE",
        )

    def delete(self, statement: st.Delete, state: TableRules) -> Dml:
        alias = identifier(statement.alias or state.relation.shown)
        own = f'"{TABLE}"' if statement.using else alias
        listed = ", ".join(f"{own}.{identifier(f.name)} AS o{i}" for i, f in enumerate(state.schema))
        more = f", {statement.using}" if statement.using else ""
        where = f" WHERE {statement.where}" if statement.where else ""
        sql = f'SELECT {listed} FROM "{TABLE}" AS {alias}{more}{where}'
        planned = self._planned(sql, {}, "SELECT")

        def evaluate(run: Run, target: Target, epoch: int) -> Write:  # noqa: ARG001
            rows = _batch(run(planned, {}))
            gone = pa.RecordBatch.from_arrays(rows.columns, schema=target.schema)
            if statement.using:
                gone, _ = _once_each(gone, gone)
            return Write(gone, None, gone.num_rows, gone)

        return Dml(
            state.name,
            evaluate,
            self._returning(statement.returning, statement.alias or state.relation.shown, state),
            "DELETE",
        )

    def _returning(self, text: str | None, name: str, state: Target) -> SnapshotPlan | None:
        if text is None:
            return None
        extra = {_CHANGED: PlannedRelation(_CHANGED, "table", state.schema)}
        return self._planned(f'SELECT {text} FROM "{_CHANGED}" AS {identifier(name)}', extra, "RETURNING")


def _check_assignments(planned: SnapshotPlan, first: int, schema: pa.Schema, indexes: list[int]) -> None:
    """Whether the plan's columns from ``first`` on can be stored in the columns ``indexes``."""
    if planned.kinds is not None:
        for kind, index in zip(planned.kinds[first:], indexes, strict=True):
            check_assignable(kind, schema.field(index))


def _always(rows: pa.RecordBatch) -> Callable[[Run], pa.RecordBatch]:
    """Rows that need no query."""
    return lambda _run: rows


def _assigned(column: pa.ChunkedArray | pa.Array, target: pa.Field, zone: Zone) -> pa.Array:
    """A computed column in the type of the column it is stored in (assignment cast)."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if array.type == target.type:
        return array
    if pa.types.is_string(target.type):
        return cast_to_text(array, Style(zone))
    return to_array(by_clocks(array, target.type, zone).to_pylist(), target, zone)


def _in_zone(value: object, target: pa.Field, zone: str) -> object:
    """A constant as a value of its column, where the zone it was written in matters."""
    written = zone_named(zone) or UTC_ZONE
    if isinstance(value, str) and pa.types.is_timestamp(target.type):
        return to_array([value], target, written)[0].as_py()
    return _assigned(pa.array([value]), target, written)[0].as_py() if isinstance(value, datetime.date) else value


def _batch(table: pa.Table) -> pa.RecordBatch:
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else empty(table.schema)


def _once_each(before: pa.RecordBatch, after: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """A row that joins several others changes once, by the first of them, as in Postgres."""
    if before.num_rows < 2:
        return before, after
    _, first = group(encode_rows(before, range(before.num_columns)))
    return zset.take(before, first), zset.take(after, first)


def _do_nothing(run: Run, target: TableRules, rows: pa.RecordBatch, epoch: int) -> Write:  # noqa: ARG001
    fresh, _, _ = _split(target, _first_of_each_key(target, rows), epoch)
    return Write(None, fresh, fresh.num_rows, fresh)


def _do_update(run: Run, target: TableRules, rows: pa.RecordBatch, epoch: int, update: _Update) -> Write:
    if _first_of_each_key(target, rows).num_rows < rows.num_rows:
        raise CardinalityViolation(
            "ON CONFLICT DO UPDATE command cannot affect row a second time",
            hint="Ensure that no rows proposed for insertion within the same command have duplicate"
            " constrained values.",
        )
    fresh, there, proposed = _split(target, rows, epoch)
    numbered = {_TARGET: _numbered(there), _PROPOSED: _numbered(proposed)}
    answer = _batch(run(update.plan, numbered))
    chosen = answer.column(0).to_numpy(zero_copy_only=False).astype(np.int64)
    before = zset.take(there, chosen)
    columns = list(before.columns)
    for place, index in enumerate(update.columns):
        columns[index] = _assigned(answer.column(1 + place), target.schema.field(index), update.zone)
    after = fitted(pa.RecordBatch.from_arrays(columns, schema=target.schema), target.relation)
    added = pa.concat_batches([fresh, after])
    return Write(before, added, added.num_rows, added)


def _split(
    target: TableRules, rows: pa.RecordBatch, epoch: int
) -> tuple[pa.RecordBatch, pa.RecordBatch, pa.RecordBatch]:
    """(rows with a new key, the rows there for the other keys, the proposed rows beside those)."""
    probe, there = target.existing(rows, epoch)
    fresh = np.setdiff1d(np.arange(rows.num_rows, dtype=np.int64), probe)
    return zset.take(rows, fresh), there, zset.take(rows, probe)


def _first_of_each_key(target: TableRules, rows: pa.RecordBatch) -> pa.RecordBatch:
    _, first = group(encode_rows(rows, target.key_columns))
    return zset.take(rows, first)


def _numbered(rows: pa.RecordBatch) -> pa.Table:
    number = pa.array(np.arange(rows.num_rows, dtype=np.int64))
    return pa.Table.from_arrays([*rows.columns, number], schema=rows.schema.append(pa.field(_NUMBER, pa.int64())))
