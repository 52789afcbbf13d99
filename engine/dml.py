"""INSERT, UPDATE and DELETE as queries: which rows go, which come.

    UPDATE t SET x = e WHERE p     SELECT t.*, e FROM t WHERE p       removed: the first, added: with e put in
    DELETE FROM t WHERE p          SELECT t.* FROM t WHERE p          removed
    INSERT … SELECT q              q                                   added
    ON CONFLICT DO UPDATE          like UPDATE, over the rows there joined to the proposed ones

The queries are planned once, when the statement is; running one needs only the
tables' rows, which a ``Tables`` function gives as of the statement.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from constellationdb.catalog.model import Relation
from constellationdb.catalog.text.zones import UTC_ZONE, zone_named
from constellationdb.engine.assignment import assigned, check_assignments
from constellationdb.engine.column_defaults import ColumnDefaults, Plan, Take
from constellationdb.engine.conflicts import (
    PROPOSED,
    ConflictUpdate,
    arbiters_of,
    do_nothing,
    do_update,
    no_arbiter,
)
from constellationdb.engine.joined_changes import Beside, Joined, rows_of
from constellationdb.engine.set_clauses import (
    NUMBER,
    NUMBER_FIELD,
    asked,
    changed,
    check_updated,
    column_of,
    defaulted,
    generated_always,
    numbered,
)
from constellationdb.engine.sources import SourceState
from constellationdb.engine.tables import TableRules
from constellationdb.engine.writes import Run, Write
from constellationdb.errors import (
    ConstellationError,
    DuplicateColumn,
    SqlSyntaxError,
)
from constellationdb.planner import statements as st
from constellationdb.planner.analysis import kinds
from constellationdb.planner.column_expressions import string_constant
from constellationdb.planner.from_items import FromItem, from_items, without_stars
from constellationdb.planner.listed_values import read_as
from constellationdb.planner.literals import to_array
from constellationdb.planner.references import Names
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.rewrite.qualified import CHANGED, OURS, TARGET, stand_in
from constellationdb.planner.snapshot import SnapshotPlan
from constellationdb.planner.syntax.edits import identifier
from constellationdb.planner.syntax.rows import value_position

Target: TypeAlias = TableRules | SourceState

Source: TypeAlias = Callable[[Run], pa.RecordBatch]

_DEFAULT = st.Default()


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
        if write.beside:
            assert write.shown is not None
            return run(self.returning, {CHANGED: numbered(write.shown), **write.beside})
        rows = write.shown if write.shown is not None else write.added
        return run(self.returning, {CHANGED: _table(rows, self.returning)})


def _table(rows: pa.RecordBatch | None, planned: SnapshotPlan) -> pa.Table:
    assert rows is not None, planned
    return pa.Table.from_batches([rows])


class DmlPlanner:
    """Plans DML; ``plan`` knows the catalog, ``take`` its sequences. ``zone``: the time zone of the session."""

    def __init__(self, plan: Plan, take: Take, zone: str = "UTC") -> None:
        self._plan = plan
        self._take = take
        self._zone_name = zone
        self.zone = zone_named(zone) or UTC_ZONE

    def planned(self, text: str, extra: dict[str, PlannedRelation], clause: str, names: Names = ()) -> SnapshotPlan:
        """``names``: what else than the changed table some of ``extra`` stand for."""
        return self._plan(st.Query(text, zone=self._zone_name, names=names), extra, clause)

    # -- INSERT --------------------------------------------------------------------------------

    def insert(self, statement: st.Insert, state: Target) -> Dml:
        columns = self._columns(statement, state)
        if statement.rows is not None:
            source = self._given_rows(statement, state, columns)
        elif statement.query is None:
            source = self._default_row(state)
        else:
            source = self._selected_rows(statement, state, columns)
        constant = source.rows if isinstance(source, _Always) else None
        conflict = self._conflict(statement, state)

        def evaluate(run: Run, target: Target, epoch: int) -> Write:
            rows = source(run)
            if conflict is None or isinstance(target, SourceState):
                return Write(None, rows, rows.num_rows, rows)
            return conflict(run, target, rows, epoch)

        returning = self._returning(statement.returning, statement.alias or state.relation.shown, state)
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

    def _given_rows(self, statement: st.Insert, state: Target, columns: list[int]) -> Source:
        """The rows of VALUES; those that are the same each time are made at once."""
        assert statement.rows is not None
        widest = max(map(len, statement.rows), default=0)
        self._check_width(statement, widest, columns)
        defaults = self.defaults(state.relation)
        given: dict[int, pa.Array] = {}
        mixed: dict[int, NDArray[np.bool_]] = {}
        for place, index in enumerate(columns[:widest]):
            values = [row[place] if place < len(row) else _DEFAULT for row in statement.rows]
            absent = np.array([isinstance(value, st.Default) for value in values])
            field = state.schema.field(index)
            self.check_given(statement.overriding, state.relation, field.name, all_default=bool(absent.all()))
            if absent.all() or self.ignored(statement.overriding, state.relation, field.name):
                continue
            if absent.any():
                constant = defaults.constant(field.name) if defaults.is_constant(field.name) else None
                values = [constant if isinstance(value, st.Default) else value for value in values]
                if not defaults.is_constant(field.name):
                    mixed[index] = absent
            given[index] = self._read(statement, values, place, field)
        count = len(statement.rows)
        if defaults.is_static(given, mixed):
            return _Always(defaults.complete(given, count, mixed))
        return lambda _run: defaults.complete(given, count, mixed)

    def _read(self, statement: st.Insert, values: list[object], place: int, field: pa.Field) -> pa.Array:
        """A column of VALUES; an error is told with the place of the first value that is wrong."""
        try:
            return to_array(values, field, self.zone)
        except ConstellationError:
            for row, value in enumerate(values):
                try:
                    to_array([value], field, self.zone)
                except ConstellationError as error:
                    at = value_position(statement.text, row, place)
                    raise error if at is None else error.at(statement.offset + at + 1) from None
            raise

    def _check_literals(self, statement: st.Update, schema: pa.Schema, indexes: list[int]) -> None:
        """Constants that their columns cannot hold are wrong whether there are rows or not."""
        for (_, text), index in zip(statement.set, indexes, strict=True):
            value = string_constant(text)
            if value is not None:
                try:
                    to_array([value], schema.field(index), self.zone)
                except ConstellationError as error:
                    raise error.at(statement.offset + statement.text.find(text) + 1) from None

    def _check_width(self, statement: st.Insert, width: int, columns: list[int]) -> None:
        if width > len(columns):
            raise SqlSyntaxError("INSERT has more expressions than target columns", position=statement.offset + 1)
        if statement.columns and width < len(columns):
            raise SqlSyntaxError("INSERT has more target columns than expressions", position=statement.offset + 1)

    def check_given(self, overriding: str, relation: Relation, name: str, *, all_default: bool) -> None:
        """428C9 for a value in a column that gives its values itself."""
        column = relation.column(name)
        if column is None or all_default:
            return
        if column.generated is not None:
            raise generated_always("cannot insert a non-DEFAULT value into", column)
        if column.identity == "a" and not overriding:
            raise generated_always("cannot insert a non-DEFAULT value into", column, overriding=True)

    def ignored(self, overriding: str, relation: Relation, name: str) -> bool:
        """OVERRIDING USER VALUE."""
        column = relation.column(name)
        return overriding == "user" and column is not None and bool(column.identity)

    def defaults(self, relation: Relation) -> ColumnDefaults:
        return ColumnDefaults(relation, self._plan, self._take, self._zone_name)

    def _default_row(self, state: Target) -> Source:
        defaults = self.defaults(state.relation)
        if defaults.is_static({}, {}):
            return _Always(defaults.complete({}, 1))
        return lambda _run: defaults.complete({}, 1)

    def _selected_rows(self, statement: st.Insert, state: Target, columns: list[int]) -> Source:
        assert statement.query is not None
        text = statement.query.text
        if statement.listed:
            text = read_as(text, [kinds.of_field(state.schema.field(index)) for index in columns])
        planned = self.planned(text, {}, "SELECT")
        width = len(planned.schema)
        self._check_width(statement, width, columns)
        check_assignments(planned, 0, state.schema, columns[:width])
        defaults = self.defaults(state.relation)
        absent = _places_of_default(statement.defaulted)
        chosen = []
        for place, index in enumerate(columns[:width]):
            name = state.schema.field(index).name
            everywhere = place in absent and len(absent[place]) == statement.listed
            self.check_given(statement.overriding, state.relation, name, all_default=everywhere)
            if not everywhere and not self.ignored(statement.overriding, state.relation, name):
                chosen.append((place, index))

        def rows(run: Run) -> pa.RecordBatch:
            table = run(planned, {})
            given = {
                index: assigned(table.column(place), state.schema.field(index), self.zone) for place, index in chosen
            }
            mixed = {index: _mask(absent[place], table.num_rows) for place, index in chosen if place in absent}
            return defaults.complete(given, table.num_rows, mixed)

        return rows

    def _conflict(
        self, statement: st.Insert, state: Target
    ) -> Callable[[Run, TableRules, pa.RecordBatch, int], Write] | None:
        clause = statement.on_conflict
        if clause is None:
            return None
        if not isinstance(state, TableRules):
            if clause.target or clause.set or clause.constraint is not None:
                raise no_arbiter(statement)
            return None
        arbiters = arbiters_of(statement, clause, state)
        if not arbiters:  # nothing conflicts
            return None
        if not clause.set:
            return lambda _run, target, rows, epoch: do_nothing(target, rows, epoch, arbiters)
        update = self._conflict_query(statement.alias or state.relation.shown, clause, state)
        return lambda run, target, rows, epoch: do_update(run, target, rows, epoch, update, arbiters[0])

    def _conflict_query(self, alias: str, clause: st.OnConflict, state: TableRules) -> ConflictUpdate:
        number = pa.field(NUMBER, pa.int64())
        extra = {name: PlannedRelation(name, "table", state.schema.append(number)) for name in (TARGET, PROPOSED)}
        indexes = [column_of(state.schema, c, state.relation.shown, None) for c, _ in clause.set]
        check_updated(state.relation, clause.set)
        expressions = ", ".join(f"({asked(text)}) AS s{i}" for i, (_, text) in enumerate(clause.set))
        where = f" WHERE {clause.where}" if clause.where else ""
        sql = (
            f'SELECT "{TARGET}"."{NUMBER}" AS n, {expressions} FROM "{TARGET}" AS {identifier(alias)}'
            f' JOIN "{PROPOSED}" AS excluded ON "{TARGET}"."{NUMBER}" = "{PROPOSED}"."{NUMBER}"{where}'
        )
        planned = self.planned(sql, extra, "UPDATE")
        check_assignments(planned, 1, state.schema, indexes)
        return ConflictUpdate(planned, indexes, self.zone, self.defaults(state.relation), defaulted(clause.set))

    # -- UPDATE and DELETE ---------------------------------------------------------------------

    def update(self, statement: st.Update, state: TableRules) -> Dml:
        said, position = statement.alias or state.relation.shown, statement.table_position + 1
        indexes = [column_of(state.schema, c, state.relation.shown, position) for c, _ in statement.set]
        for place, index in enumerate(indexes):
            if index in indexes[:place]:
                name = state.schema.field(index).name
                raise SqlSyntaxError(f'multiple assignments to same column "{name}"', position=position)
        check_updated(state.relation, statement.set)
        self._check_literals(statement, state.schema, indexes)
        defaults, absent = self.defaults(state.relation), defaulted(statement.set)
        new = ", ".join(f"({asked(text)}) AS n{i}" for i, (_, text) in enumerate(statement.set))
        joined = self._joined(statement, statement.from_clause, said, state)
        old = _listed(state, said, joined)
        where = f" WHERE {statement.where}" if statement.where else ""
        source = joined.source if joined else f'"{OURS}" AS {identifier(said)}'
        more = joined.columns if joined else ""
        sql = f"{statement.with_clause} SELECT {old}, {new}{more} FROM {source}{where}"
        planned = self.planned(sql, joined.extra if joined else {}, "UPDATE", joined.names if joined else ())
        width = len(state.schema)
        check_assignments(planned, width, state.schema, indexes)

        def evaluate(run: Run, target: Target, epoch: int) -> Write:
            rows, beside = rows_of(run, planned, target, epoch, joined, width + len(indexes))
            before = pa.RecordBatch.from_arrays(rows.columns[:width], schema=target.schema)
            values = rows.columns[width : width + len(indexes)]
            after = changed(before, values, indexes, defaults, absent, self.zone)
            return Write(before, after, before.num_rows, after, beside)

        returning = self._returning_of(statement, said, state, joined)
        return Dml(state.name, evaluate, returning, "UPDATE")

    def delete(self, statement: st.Delete, state: TableRules) -> Dml:
        said = statement.alias or state.relation.shown
        joined = self._joined(statement, statement.using, said, state)
        where = f" WHERE {statement.where}" if statement.where else ""
        source = joined.source if joined else f'"{OURS}" AS {identifier(said)}'
        more = joined.columns if joined else ""
        sql = f"{statement.with_clause} SELECT {_listed(state, said, joined)}{more} FROM {source}{where}"
        planned = self.planned(sql, joined.extra if joined else {}, "SELECT", joined.names if joined else ())
        width = len(state.schema)

        def evaluate(run: Run, target: Target, epoch: int) -> Write:
            rows, beside = rows_of(run, planned, target, epoch, joined, width)
            gone = pa.RecordBatch.from_arrays(rows.columns[:width], schema=target.schema)
            return Write(gone, None, gone.num_rows, gone, beside)

        returning = self._returning_of(statement, said, state, joined)
        return Dml(state.name, evaluate, returning, "DELETE")

    def _joined(
        self, statement: st.Update | st.Delete, clause: str | None, said: str, state: TableRules
    ) -> Joined | None:
        """UPDATE … FROM and DELETE … USING: what is read beside the table, and where RETURNING finds it."""
        if clause is None:
            return None
        items: list[Beside] = []
        given = statement.with_clause
        for item in from_items(given, clause, statement.meant) if statement.returning is not None else ():
            listed = self.planned(f"{given} SELECT {item.text}.* FROM {clause}", {}, "RETURNING", item.names)
            items.append(Beside(item, f"#item{len(items)}", listed.schema))
        numbered = PlannedRelation(TARGET, "table", state.schema.append(NUMBER_FIELD))
        return Joined(f'"{TARGET}" AS {identifier(said)}, {clause}', items, {TARGET: numbered})

    def _returning_of(
        self, statement: st.Update | st.Delete, said: str, state: Target, joined: Joined | None
    ) -> SnapshotPlan | None:
        if statement.returning is None or joined is None:
            return self._returning(statement.returning, said, state)
        extra = {CHANGED: PlannedRelation(CHANGED, "table", state.schema.append(NUMBER_FIELD))}
        source, number, names = f'"{CHANGED}" AS {identifier(said)}', f'"{CHANGED}"."{NUMBER}"', []
        listed = [(FromItem(said, identifier(said), state.name), CHANGED, state.schema.names)]
        for beside in joined.items:
            extra[beside.name] = PlannedRelation(beside.name, "table", beside.schema.append(NUMBER_FIELD))
            source += f' JOIN "{beside.name}" AS {identifier(beside.item.said)}'
            source += f' ON "{beside.name}"."{NUMBER}" = {number}'
            listed.append((beside.item, beside.name, beside.schema.names))
            if beside.item.relation is not None:
                names.append((stand_in(beside.name), beside.item.relation))
        sql = f"SELECT {without_stars(statement.returning, listed, statement.meant)} FROM {source} ORDER BY {number}"
        return self.planned(sql, extra, "RETURNING", tuple(names))

    def _returning(self, text: str | None, name: str, state: Target) -> SnapshotPlan | None:
        if text is None:
            return None
        extra = {CHANGED: PlannedRelation(CHANGED, "table", state.schema)}
        return self.planned(f'SELECT {text} FROM "{CHANGED}" AS {identifier(name)}', extra, "RETURNING")


@dataclass(frozen=True)
class _Always:
    """Rows that need no query."""

    rows: pa.RecordBatch

    def __call__(self, _run: Run) -> pa.RecordBatch:
        return self.rows


def _listed(state: Target, said: str, joined: Joined | None) -> str:
    """The columns of the table that is changed; beside others it may not be the only one of its name."""
    own = identifier(TARGET if joined else said)
    return ", ".join(f"{own}.{identifier(field.name)} AS o{i}" for i, field in enumerate(state.schema))


def _places_of_default(defaulted: tuple[tuple[int, int], ...]) -> dict[int, list[int]]:
    """The rows that say DEFAULT, by the place where they do."""
    found: dict[int, list[int]] = {}
    for row, place in defaulted:
        found.setdefault(place, []).append(row)
    return found


def _mask(rows: list[int], count: int) -> NDArray[np.bool_]:
    mask = np.zeros(count, np.bool_)
    mask[rows] = True
    return mask
