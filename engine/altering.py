"""ALTER TABLE, ALTER SOURCE, RENAME and indexes, for a session: at once, or into its transaction."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
from msgspec.structs import replace

from constellationdb.catalog.model import Alter, Command, Create, Drop, Relation
from constellationdb.catalog.text.zones import UTC_ZONE, zone_named
from constellationdb.engine import changes
from constellationdb.engine.alterations import TableAlteration, with_renamed_column, with_renamed_constraint
from constellationdb.engine.dependants import Change, Views, adapted, with_new_name
from constellationdb.engine.object_names import taken_names
from constellationdb.engine.pg_catalog.names import qualified
from constellationdb.engine.reshape import reshape_of
from constellationdb.engine.result import Notice, Result
from constellationdb.engine.retyping import converted, without_rules_of
from constellationdb.engine.sequence_statements import resolve
from constellationdb.engine.side import errors_name
from constellationdb.engine.table_definitions import TableDefiner
from constellationdb.errors import (
    ConstellationError,
    DependentObjects,
    DuplicateRelation,
    FeatureNotSupported,
    UndefinedColumn,
    UndefinedObject,
    UndefinedRelation,
    WrongObjectType,
)
from constellationdb.planner import statements as st
from constellationdb.planner.pinning import renamed_column
from constellationdb.planner.references import reference, split
from constellationdb.storage.arrow_blobs import to_ipc

if TYPE_CHECKING:
    from constellationdb.engine.pg_catalog.objects import Index
    from constellationdb.engine.session import Session


_LIKE_TABLES = ("view", "materialized view", "sequence")


class Altering:
    """One statement; ``notices`` gather on the way."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.notices: list[Notice] = []

    def _notify(self, message: str) -> None:
        self.notices.append(Notice(message))

    def _found(self, kind: str, name: str, *, if_exists: bool = False) -> Relation | None:
        """The relation, which must be of this kind; None when it may be missing and is."""
        relation = self._session.catalog.relations.get(self._session.names.find(name))
        if relation is None:
            if not if_exists:
                raise self._session.names.missing(name)
            self._notify(f'relation "{split(name)[1]}" does not exist, skipping')
            return None
        # As in Postgres, ALTER TABLE may be said of whatever is like a table.
        if relation.kind != kind and not (kind == "table" and relation.kind in _LIKE_TABLES):
            raise WrongObjectType(f'"{relation.shown}" is not a {kind}')
        return relation

    def _define(self, *commands: Command) -> None:
        with self._session.together() as transaction:
            for command in commands:
                transaction.define(self._session.engine, command)

    # -- ALTER TABLE ---------------------------------------------------------------------------

    def table(self, statement: st.AlterTable) -> Result:
        tag = f"ALTER {statement.kind.upper()}"
        relation = self._found(statement.kind, statement.name, if_exists=statement.if_exists)
        if relation is None:
            return Result(tag, notices=self.notices)
        if relation.kind != statement.kind:
            raise WrongObjectType(f'"{relation.shown}" is not a {statement.kind}')
        session = self._session
        described, made = session.names.shown(relation), definer(session, relation.namespace)
        alteration = TableAlteration(session.catalog, relation, described, made, self._notify)
        for action in statement.actions:
            alteration.perform(action)
        if relation.kind == "source":
            self._source(alteration)
        else:
            self._table(alteration)
        return Result(tag, notices=self.notices)

    def _table(self, alteration: TableAlteration) -> None:
        before, after = alteration.before, alteration.table
        if after == before and not (alteration.sequences or alteration.retyped):
            return
        with self._session.together() as transaction:
            engine = self._session.engine
            if alteration.sequences:
                transaction.define(engine, Create(tuple(alteration.sequences)))
            self._check_retyped(alteration)
            old = changes.rows_of(self._session, before) if alteration.retyped else None
            views = self._views_over(alteration)
            lost = self._lost(alteration, views.lost)
            if lost:
                transaction.define(engine, Drop(lost))
            kept = [view for view in views.altered if view.name not in lost]
            sources = {after.name: alteration.sources} if alteration.is_reshaped else {}
            fills = {after.name: to_ipc(self._fills(alteration))} if alteration.added else {}
            altered = Alter((after, *kept), sources=sources, fills=fills)
            transaction.define(engine, altered)
            if old is not None:
                self._convert(alteration, altered, old)
            if alteration.dropped_sequences:
                transaction.define(engine, Drop(tuple(alteration.dropped_sequences)))
            changes.fill(self._session, after, [column.name for column in alteration.added])
            changes.validate(self._session, after, without_rules_of(before, alteration.retyped))

    def _check_retyped(self, alteration: TableAlteration) -> None:
        """Columns that get another type go and come again: no view may read them."""
        before, retyped = alteration.before, alteration.retyped
        for name in retyped:
            place = before.schema.get_field_index(name)
            others = tuple(i for i in range(len(before.schema)) if i != place)
            if not others:
                continue
            change = Change(before.name, before.schema, before.schema.remove(place), others)
            found = adapted(self._session.catalog, self._session.relations, self._session.functions, change).lost
            if found:
                view = self._session.catalog.relations[found[0]]
                raise FeatureNotSupported(
                    "cannot alter type of a column used by a view or rule",
                    detail=f'rule _RETURN on {view.kind} {self._session.names.shown(view)} depends on column "{name}"',
                )

    def _convert(self, alteration: TableAlteration, command: Alter, old: pa.RecordBatch) -> None:
        after, zone = alteration.table, zone_named(self._session.zone) or UTC_ZONE
        reshape = reshape_of(command, after)
        assert reshape is not None
        rows = reshape.rows(old)
        made = converted(alteration.before, after, alteration.retyped, old, rows, zone)
        changes.rewrite(self._session, after, rows, made)

    def _views_over(self, alteration: TableAlteration) -> Views:
        session, before, after = self._session, alteration.before, alteration.table
        if not alteration.is_reshaped:
            return Views()
        change = Change(before.name, before.schema, after.schema, alteration.sources)
        return adapted(session.catalog, session.relations, session.functions, change)

    def _lost(self, alteration: TableAlteration, lost: list[str]) -> tuple[str, ...]:
        """The views that go with a column, and those over them; 2BP01 where nobody said CASCADE."""
        if not lost:
            self._tell(alteration.cascaded)
            return ()
        catalog, shown = self._session.catalog, self._session.names.shown
        if not alteration.dropped:
            raise FeatureNotSupported(f"view {shown(catalog.relations[lost[0]])} cannot go on over other columns")
        column, name = alteration.dropped[0].name, shown(alteration.before)
        named = [f"{catalog.relations[view].kind} {shown(catalog.relations[view])}" for view in lost]
        if not all(action.cascade for action in alteration.dropped):
            raise DependentObjects(
                f"cannot drop column {column} of table {name} because other objects depend on it",
                detail="\n".join(f"{view} depends on column {column} of table {name}" for view in named),
                hint="Use DROP ... CASCADE to drop the dependent objects too.",
            )
        found = catalog.to_drop(lost, cascade=True)
        self._tell([*alteration.cascaded, *named, *catalog.cascaded(lost, found, shown)])
        return found

    def _tell(self, gone: list[str]) -> None:
        """The notices of CASCADE."""
        lines = [f"drop cascades to {what}" for what in gone]
        if len(lines) < 2:
            self.notices += map(Notice, lines)
        else:
            self.notices.append(Notice(f"drop cascades to {len(lines)} other objects", detail="\n".join(lines)))

    def _fills(self, alteration: TableAlteration) -> pa.RecordBatch:
        """One row of what new columns hold in the rows that are there, where that is the same in all."""
        defaults = changes.defaults_of(self._session, alteration.table)
        schema = alteration.table.schema
        values = []
        for field in schema:
            new = any(column.name == field.name for column in alteration.added)
            constant = new and defaults.is_constant(field.name)
            values.append(defaults.array(field.name, 1) if constant else pa.nulls(1, field.type))
        return pa.RecordBatch.from_arrays(values, schema=schema)

    def _source(self, alteration: TableAlteration) -> None:
        for column in alteration.added:
            if column.not_null or column.generated is not None or column.serial or column.identity:
                raise FeatureNotSupported(f'column "{column.name}" of a source can only have a type')
        if len(alteration.added) != len(alteration.table.schema) - len(alteration.before.schema):
            raise FeatureNotSupported("ALTER SOURCE can only ADD COLUMN")
        if alteration.table.checks or alteration.table.uniques or alteration.table.primary_key:
            raise FeatureNotSupported("a source has no constraints")
        if alteration.table.columns[: len(alteration.before.columns)] != alteration.before.columns:
            raise FeatureNotSupported("ALTER SOURCE can only ADD COLUMN")
        after = alteration.table
        views = self._views_over(alteration)
        self._define(Alter((after, *views.altered), sources={after.name: alteration.sources}))

    # -- RENAME --------------------------------------------------------------------------------

    def rename(self, statement: st.Rename) -> Result:
        tag = f"ALTER {statement.kind.upper()}"
        if statement.kind == "index":
            return self._rename_index(statement)
        relation = self._found(statement.kind, statement.name, if_exists=statement.if_exists)
        if relation is not None:
            match statement.what:
                case "relation":
                    self._rename(relation, statement.new)
                case "column":
                    self._rename_column(relation, statement)
                case "constraint":
                    if relation.kind != "table":
                        raise WrongObjectType(f'"{relation.shown}" is not a table')
                    self._define(Alter((with_renamed_constraint(relation, statement.old, statement.new),)))
        return Result(tag, notices=self.notices)

    def _rename(self, relation: Relation, new: str) -> None:
        """SQL alone calls it otherwise; its errors follow."""
        catalog = self._session.catalog
        taken = taken_names(catalog, relation.namespace)
        if new in taken or errors_name(new) in taken:
            raise DuplicateRelation(f'relation "{new}" already exists')
        changed = [_called(relation, new), *with_new_name(catalog, relation, new)]
        errors = catalog.relations.get(errors_name(relation.name))
        if errors is not None and errors.owner == relation.name:
            changed.append(_called(errors, errors_name(new)))
        self._define(Alter(tuple(changed)))

    def _rename_column(self, relation: Relation, statement: st.Rename) -> None:
        if relation.kind != "table":
            raise FeatureNotSupported(f"renaming a column of a {relation.kind} is not supported")
        session, catalog = self._session, self._session.catalog
        after = with_renamed_column(relation, statement.old, statement.new, renamed_column)
        width = tuple(range(len(after.schema)))
        change = Change(relation.name, relation.schema, after.schema, width)
        views = adapted(catalog, session.relations, session.functions, change)
        if views.lost:
            raise FeatureNotSupported(f'view "{views.lost[0]}" cannot follow another name of a column')
        owned = [
            replace(found, sequence=replace(found.sequence, column=statement.new))
            for found in catalog.owned_sequences(relation.name)
            if found.sequence is not None and found.sequence.column == statement.old
        ]
        self._define(Alter((after, *owned, *views.altered), sources={after.name: width}))

    # -- indexes -------------------------------------------------------------------------------

    def create_index(self, statement: st.CreateIndex) -> Result:
        relation = self._found("table", statement.table)
        assert relation is not None
        if relation.kind not in ("table", "materialized view"):
            raise WrongObjectType(
                f'cannot create index on relation "{relation.shown}"',
                detail=f"This operation is not supported for {relation.kind}s.",
            )
        if statement.is_unique and relation.kind != "table":
            raise FeatureNotSupported(f"a unique index on a {relation.kind} is not supported")
        name, taken = statement.name, taken_names(self._session.catalog, relation.namespace)
        if name is not None and name in taken and statement.if_not_exists:
            message = f'relation "{name}" already exists, skipping'
            return Result("CREATE INDEX", notices=[Notice(message, sqlstate="42P07")])
        for column in statement.columns:
            if column not in relation.schema.names:
                raise UndefinedColumn(f'column "{column}" does not exist')
        made = definer(self._session, relation.namespace)
        if not statement.is_unique:
            self._define(Alter((made.with_index(relation, name, statement.columns),)))
            self._fill_index(relation, statement.columns)
            return Result("CREATE INDEX", notices=self.notices)
        after = made.with_unique(relation, st.UniqueDef(name, statement.columns), is_constraint=False)
        with self._session.together() as transaction:
            transaction.define(self._session.engine, Alter((after,)))
            changes.validate(self._session, after, relation)
        return Result("CREATE INDEX", notices=self.notices)

    def _fill_index(self, relation: Relation, columns: tuple[str, ...]) -> None:
        """With what is there, so that the first to ask need not wait; one of a transaction fills when it is asked."""
        state = self._session.engine.states.get(relation.name)
        if self._session.transaction is None and state is not None:
            index = state.point_index(tuple(sorted(map(relation.schema.get_field_index, columns))))
            if index is not None:
                index.catch_up()

    def drop_index(self, statement: st.DropIndex) -> Result:
        altered: dict[str, Relation] = {}
        for said in statement.names:
            index = self._index(said)
            if index is None:
                missing: ConstellationError = self._session.names.missing(said)
                if isinstance(missing, UndefinedRelation):
                    missing = UndefinedObject(f'index "{split(said)[1]}" does not exist')
                if not statement.if_exists:
                    raise missing
                self._notify(f"{missing.message}, skipping")
                continue
            table = index.of.relation
            assert table is not None
            self._refuse_constraints_index(index)
            before = altered.get(table.name, table)
            altered[table.name] = replace(
                before,
                uniques=tuple(unique for unique in before.uniques if unique.name != index.name),
                indexes=tuple(other for other in before.indexes if other.name != index.name),
            )
        if altered:
            self._define(Alter(tuple(altered.values())))
        return Result("DROP INDEX", notices=self.notices)

    def _index(self, said: str) -> Index | None:
        found = self._session.names.index(said)
        return None if found is None or found.of.relation is None else found

    def _rename_index(self, statement: st.Rename) -> Result:
        index = self._index(statement.name)
        if index is None:
            if not statement.if_exists:
                raise self._session.names.missing(statement.name)
            message = f'relation "{split(statement.name)[1]}" does not exist, skipping'
            return Result("ALTER INDEX", notices=[Notice(message)])
        table = index.of.relation
        assert table is not None
        if statement.new in taken_names(self._session.catalog, table.namespace):
            raise DuplicateRelation(f'relation "{statement.new}" already exists')
        if index.is_primary:
            after = replace(table, key_name=statement.new)
        else:
            uniques = (replace(u, name=statement.new) if u.name == index.name else u for u in table.uniques)
            indexes = (replace(i, name=statement.new) if i.name == index.name else i for i in table.indexes)
            after = replace(table, uniques=tuple(uniques), indexes=tuple(indexes))
        self._define(Alter((after,)))
        return Result("ALTER INDEX", notices=self.notices)

    def _refuse_constraints_index(self, index: Index) -> None:
        names, table = self._session.names, index.of.relation
        if index.constraint and table is not None:
            shown = qualified(index.of.schema, index.name, visible=names.index(reference(None, index.name)) == index)
            what = f"constraint {index.name} on table {names.shown(table)}"
            raise DependentObjects(
                f"cannot drop index {shown} because {what} requires it",
                hint=f"You can drop {what} instead.",
            )


def definer(session: Session, namespace: int) -> TableDefiner:
    """Of tables in a schema."""
    return TableDefiner(
        session.catalog,
        namespace,
        partial(session.names.beside, namespace),
        session.zone,
        partial(changes.defaults_of, session),
        partial(resolve, session),
    )


def _called(relation: Relation, name: str) -> Relation:
    """The same relation under another name; what its constraints are called stays."""
    if relation.primary_key:
        relation = replace(relation, key_name=relation.primary_key_name)
    return replace(relation, label="" if name == relation.name else name)
