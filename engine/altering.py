"""ALTER TABLE, ALTER SOURCE, RENAME and unique indexes, for a session: at once, or into its transaction."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pyarrow as pa
from msgspec.structs import replace

from constellationdb.catalog.catalog import Catalog
from constellationdb.catalog.model import Alter, Command, Create, Drop, Relation, shown_name
from constellationdb.engine import changes
from constellationdb.engine.alterations import TableAlteration, with_renamed_column, with_renamed_constraint
from constellationdb.engine.dependants import Change, Views, adapted
from constellationdb.engine.object_names import taken_names
from constellationdb.engine.result import Notice, Result
from constellationdb.engine.side import errors_name
from constellationdb.engine.table_definitions import TableDefiner
from constellationdb.errors import (
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
from constellationdb.storage.arrow_blobs import to_ipc

if TYPE_CHECKING:
    from constellationdb.engine.session import Session


_LIKE_TABLES = ("view", "materialized view", "sequence")


class Altering:
    """One statement; ``notices`` gather on the way."""

    def __init__(self, session: Session, definer: TableDefiner) -> None:
        self._session = session
        self._definer = definer
        self.notices: list[Notice] = []

    def _notify(self, message: str) -> None:
        self.notices.append(Notice(message))

    def _found(self, kind: str, name: str, *, if_exists: bool = False) -> Relation | None:
        """The relation, which must be of this kind; None when it may be missing and is."""
        name = self._session.temporary.resolve(name)
        relation = self._session.catalog.relations.get(name)
        if relation is None:
            message = f'relation "{shown_name(name)}" does not exist'
            if not if_exists:
                raise UndefinedRelation(message)
            self._notify(f"{message}, skipping")
            return None
        # As in Postgres, ALTER TABLE may be said of whatever is like a table.
        if relation.kind != kind and not (kind == "table" and relation.kind in _LIKE_TABLES):
            raise WrongObjectType(f'"{shown_name(name)}" is not a {kind}')
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
            raise WrongObjectType(f'"{statement.name}" is not a {statement.kind}')
        alteration = TableAlteration(self._session.catalog, relation, self._definer, self._notify)
        for action in statement.actions:
            alteration.perform(action)
        if relation.kind == "source":
            self._source(alteration)
        else:
            self._table(alteration)
        return Result(tag, notices=self.notices)

    def _table(self, alteration: TableAlteration) -> None:
        before, after = alteration.before, alteration.table
        if after == before and not alteration.sequences:
            return
        with self._session.together() as transaction:
            engine = self._session.engine
            if alteration.sequences:
                transaction.define(engine, Create(tuple(alteration.sequences)))
            views = self._views_over(alteration)
            lost = self._lost(alteration, views.lost)
            if lost:
                transaction.define(engine, Drop(lost))
            kept = [view for view in views.altered if view.name not in lost]
            sources = {after.name: alteration.sources} if alteration.is_reshaped else {}
            fills = {after.name: to_ipc(self._fills(alteration))} if alteration.added else {}
            transaction.define(engine, Alter((after, *kept), sources=sources, fills=fills))
            if alteration.dropped_sequences:
                transaction.define(engine, Drop(tuple(alteration.dropped_sequences)))
            changes.fill(self._session, after, [column.name for column in alteration.added])
            changes.validate(self._session, after, before)

    def _views_over(self, alteration: TableAlteration) -> Views:
        session, before, after = self._session, alteration.before, alteration.table
        if not alteration.is_reshaped:
            return Views()
        change = Change(before.name, after.name, before.schema, after.schema, alteration.sources)
        return adapted(session.catalog, session.relations, session.functions, change)

    def _lost(self, alteration: TableAlteration, lost: list[str]) -> tuple[str, ...]:
        """The views that go with a column, and those over them; 2BP01 where nobody said CASCADE."""
        if not lost:
            self._tell(alteration.cascaded)
            return ()
        catalog, name = self._session.catalog, alteration.name
        column = alteration.dropped[0].name
        named = [f"{catalog.relations[view].kind} {shown_name(view)}" for view in lost]
        if not all(action.cascade for action in alteration.dropped):
            raise DependentObjects(
                f"cannot drop column {column} of table {name} because other objects depend on it",
                detail="\n".join(f"{view} depends on column {column} of table {name}" for view in named),
                hint="Use DROP ... CASCADE to drop the dependent objects too.",
            )
        found = catalog.to_drop(lost, cascade=True)
        self._tell([*alteration.cascaded, *named, *catalog.cascaded(lost, found)])
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
                        raise WrongObjectType(f'"{statement.name}" is not a table')
                    self._define(Alter((with_renamed_constraint(relation, statement.old, statement.new),)))
        return Result(tag, notices=self.notices)

    def _rename(self, relation: Relation, new: str) -> None:
        session = self._session
        schema = relation.name[: len(relation.name) - len(shown_name(relation.name))]
        name, catalog = schema + new, session.catalog
        if name in taken_names(catalog) or errors_name(name) in catalog.relations:
            raise DuplicateRelation(f'relation "{new}" already exists')
        renamed = {relation.name: name}
        changed = [self._called(relation, name)]
        for other in catalog.relations.values():
            if other.kind == "side output" and other.owner == relation.name:
                becomes = errors_name(name) if other.name == errors_name(relation.name) else other.name
                changed.append(replace(other, name=becomes, owner=name))
                renamed[other.name] = becomes
            elif other.owner == relation.name:
                changed.append(replace(other, owner=name))
            if any(column.sequence == relation.name for column in other.columns):
                columns = (replace(c, sequence=name) if c.sequence == relation.name else c for c in other.columns)
                changed.append(replace(other, columns=tuple(columns)))
        if relation.kind != "sequence":
            shape = session.relations[relation.name]
            width = tuple(range(len(shape.schema)))
            change = Change(relation.name, name, shape.schema, shape.schema, width)
            views = adapted(catalog, session.relations, session.functions, change)
            if views.lost:
                raise FeatureNotSupported(f'view "{views.lost[0]}" cannot follow another name of what it reads')
            changed += views.altered
        self._define(Alter(tuple(changed), renamed={old: new for old, new in renamed.items() if old != new}))

    def _called(self, relation: Relation, name: str) -> Relation:
        """The same relation under another name; what its constraints are called stays."""
        if relation.primary_key:
            relation = replace(relation, key_name=relation.primary_key_name)
        return replace(relation, name=name)

    def _rename_column(self, relation: Relation, statement: st.Rename) -> None:
        if relation.kind != "table":
            raise FeatureNotSupported(f"renaming a column of a {relation.kind} is not supported")
        session, catalog = self._session, self._session.catalog
        after = with_renamed_column(relation, statement.old, statement.new, renamed_column)
        width = tuple(range(len(after.schema)))
        change = Change(relation.name, relation.name, relation.schema, after.schema, width)
        views = adapted(catalog, session.relations, session.functions, change)
        if views.lost:
            raise FeatureNotSupported(f'view "{views.lost[0]}" cannot follow another name of a column')
        owned = [
            replace(found, sequence=replace(found.sequence, column=statement.new))
            for found in catalog.owned_sequences(relation.name)
            if found.sequence is not None and found.sequence.column == statement.old
        ]
        self._define(Alter((after, *owned, *views.altered), sources={after.name: width}))

    # -- unique indexes ------------------------------------------------------------------------

    def create_index(self, statement: st.CreateUniqueIndex) -> Result:
        relation = self._found("table", statement.table)
        assert relation is not None
        if relation.kind != "table":
            raise FeatureNotSupported(f"a unique index on a {relation.kind} is not supported")
        name = statement.name
        if name is not None and name in taken_names(self._session.catalog) and statement.if_not_exists:
            message = f'relation "{name}" already exists, skipping'
            return Result("CREATE INDEX", notices=[Notice(message, sqlstate="42P07")])
        for column in statement.columns:
            if relation.column(column) is None:
                raise UndefinedColumn(f'column "{column}" does not exist')
        after = self._definer.with_unique(relation, st.UniqueDef(name, statement.columns), is_constraint=False)
        with self._session.together() as transaction:
            transaction.define(self._session.engine, Alter((after,)))
            changes.validate(self._session, after, relation)
        return Result("CREATE INDEX", notices=self.notices)

    def drop_index(self, statement: st.DropIndex) -> Result:
        altered: dict[str, Relation] = {}
        for name in statement.names:
            found = _indexed(self._session.catalog, name, altered.values())
            if found is None:
                message = f'index "{name}" does not exist'
                if not statement.if_exists:
                    raise UndefinedObject(message)
                self._notify(f"{message}, skipping")
                continue
            _refuse_constraints_index(found, name)
            kept = tuple(unique for unique in found.uniques if unique.name != name)
            altered[found.name] = replace(found, uniques=kept)
        if altered:
            self._define(Alter(tuple(altered.values())))
        return Result("DROP INDEX", notices=self.notices)

    def _rename_index(self, statement: st.Rename) -> Result:
        catalog = self._session.catalog
        found = _indexed(catalog, statement.name, ())
        if found is None:
            message = f'relation "{statement.name}" does not exist'
            if not statement.if_exists:
                raise UndefinedRelation(message)
            return Result("ALTER INDEX", notices=[Notice(f"{message}, skipping")])
        if statement.new in taken_names(catalog):
            raise DuplicateRelation(f'relation "{statement.new}" already exists')
        if found.primary_key and found.primary_key_name == statement.name:
            after = replace(found, key_name=statement.new)
        else:
            uniques = (replace(u, name=statement.new) if u.name == statement.name else u for u in found.uniques)
            after = replace(found, uniques=tuple(uniques))
        self._define(Alter((after,)))
        return Result("ALTER INDEX", notices=self.notices)


def _indexed(catalog: Catalog, name: str, altered: Iterable[Relation]) -> Relation | None:
    """The table that has an index of this name."""
    for table in (*altered, *catalog.relations.values()):
        if any(unique.name == name for unique in table.uniques):
            return table
        if table.primary_key and table.kind == "table" and table.primary_key_name == name:
            return table
    return None


def _refuse_constraints_index(table: Relation, name: str) -> None:
    unique = next((unique for unique in table.uniques if unique.name == name), None)
    if unique is None or unique.is_constraint:
        shown = shown_name(table.name)
        raise DependentObjects(
            f"cannot drop index {name} because constraint {name} on table {shown} requires it",
            hint=f"You can drop constraint {name} on table {shown} instead.",
        )
