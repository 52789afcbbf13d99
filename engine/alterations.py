"""ALTER TABLE's actions on one table: the definition that comes of them, action after action."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
from msgspec.structs import replace

from constellationdb.catalog.catalog import Catalog
from constellationdb.catalog.model import ColumnDefinition, Relation
from constellationdb.engine.retyping import check_conversion
from constellationdb.engine.table_definitions import (
    IDENTITY_TYPES,
    TableDefiner,
    refuse_keyed,
    stored_field,
    typed_field,
)
from constellationdb.errors import (
    ConstellationError,
    DependentObjects,
    DuplicateColumn,
    DuplicateObject,
    FeatureNotSupported,
    InvalidDefinition,
    InvalidParameter,
    SqlSyntaxError,
    UndefinedColumn,
    UndefinedObject,
)
from constellationdb.planner import statements as st
from constellationdb.planner.column_expressions import check_expression, column_names, sequence_named

Notify = Callable[[str], None]


class TableAlteration:
    """``table`` and ``sources`` (see ``Alter``) as the actions so far make them; ``notify`` hears what was skipped.

    ``described``: the table's name where a message has to tell its schema, too.
    """

    def __init__(
        self, catalog: Catalog, table: Relation, described: str, definer: TableDefiner, notify: Notify
    ) -> None:
        self._described = described
        self._catalog = catalog
        self._definer = definer
        self._notify = notify
        self.before = table
        self.table = table
        self.sources = tuple(range(len(table.schema)))
        self.sequences: list[Relation] = []  # that come with new columns
        self.dropped_sequences: list[str] = []
        self.dropped: list[st.DropColumn] = []
        self.cascaded: list[str] = []  # what went with them, as notices name it
        self.added: list[st.ColumnDef] = []
        self.retyped: dict[str, str] = {}  # columns, and what becomes of their values

    @property
    def name(self) -> str:
        return self.table.shown

    @property
    def is_reshaped(self) -> bool:
        return (
            bool(self.retyped)
            or self.table.schema != self.before.schema
            or self.table.primary_key != self.before.primary_key
        )

    def perform(self, action: st.AlterAction) -> None:
        match action:
            case st.AddColumn(column, if_not_exists):
                self._add_column(column, if_not_exists=if_not_exists)
            case st.DropColumn():
                self._drop_column(action)
            case st.SetDefault(name, default, position):
                self._set_default(name, default, position)
            case st.SetNotNull(name, not_null):
                self._set_not_null(name, not_null=not_null)
            case st.SetType():
                self._set_type(action)
            case st.AddCheck(check):
                self.table = self._definer.with_checks(self.table, (check,))
                self._definer.check_expressions(self.table, (), (check,))
            case st.AddUnique(unique):
                for name in unique.columns:
                    self._in_key(name, unique.position)
                self.table = self._definer.with_unique(self.table, unique)
            case st.AddPrimaryKey():
                self._add_primary_key(action)
            case st.DropConstraint():
                self._drop_constraint(action)

    def _column(self, name: str) -> ColumnDefinition:
        found = self.table.column(name)
        if found is None:
            raise UndefinedColumn(f'column "{name}" of relation "{self.name}" does not exist')
        return found

    def _in_key(self, name: str, position: int) -> None:
        if self.table.column(name) is None:
            raise UndefinedColumn(f'column "{name}" named in key does not exist', position=position + 1)

    def _with_column(self, column: ColumnDefinition) -> None:
        columns = tuple(column if c.name == column.name else c for c in self.table.columns)
        self.table = replace(self.table, columns=columns)

    def _with_schema(self, schema: pa.Schema) -> None:
        self.table = replace(self.table, schema_ipc=bytes(schema.serialize()))

    # -- columns -------------------------------------------------------------------------------

    def _add_column(self, column: st.ColumnDef, *, if_not_exists: bool) -> None:
        if self.table.column(column.name) is not None:
            message = f'column "{column.name}" of relation "{self.name}" already exists'
            if not if_not_exists:
                raise DuplicateColumn(message)
            self._notify(f"{message}, skipping")
            return
        made, own = self._definer.column(self.table, column)
        self.sequences += own
        self._with_schema(self.table.schema.append(stored_field(column)))
        self.table = replace(self.table, columns=(*self.table.columns, made))
        self.sources = (*self.sources, -1)
        self.added.append(column)
        self._definer.check_expressions(self.table, (column,), ())

    def _drop_column(self, action: st.DropColumn) -> None:
        name = action.name
        if self.table.column(name) is None:
            if not action.if_exists:
                raise UndefinedColumn(f'column "{name}" of relation "{self.name}" does not exist')
            self._notify(f'column "{name}" of relation "{self.name}" does not exist, skipping')
            return
        computed = [c.name for c in self.table.columns if c.generated is not None and name in column_names(c.generated)]
        if computed and not action.cascade:
            raise self._needed(name, [f"column {other} of table {self._described}" for other in computed])
        if len(self.table.columns) == 1 + len(computed):
            raise FeatureNotSupported(f'"{self.name}" would have no columns, which is not supported')
        place = self.table.schema.get_field_index(name)
        self._with_schema(self.table.schema.remove(place))
        self.sources = self.sources[:place] + self.sources[place + 1 :]
        self.table = replace(
            self.table,
            columns=tuple(column for column in self.table.columns if column.name != name),
            checks=tuple(check for check in self.table.checks if name not in check.columns),
            uniques=tuple(unique for unique in self.table.uniques if name not in unique.columns),
            indexes=tuple(index for index in self.table.indexes if name not in index.columns),
        )
        if name in self.table.primary_key:
            self.table = replace(self.table, primary_key=(), key_name="")
        for owned in self._catalog.owned_sequences(self.before.name):
            if owned.sequence is not None and owned.sequence.column == name:
                self.dropped_sequences.append(owned.name)
        self.dropped.append(action)
        for other in computed:
            self.cascaded.append(f"column {other} of table {self._described}")
            self._drop_column(st.DropColumn(other, cascade=True))

    def _needed(self, name: str, dependants: list[str]) -> ConstellationError:
        return DependentObjects(
            f"cannot drop column {name} of table {self._described} because other objects depend on it",
            detail="\n".join(f"{what} depends on column {name} of table {self._described}" for what in dependants),
            hint="Use DROP ... CASCADE to drop the dependent objects too.",
        )

    def _set_default(self, name: str, default: str | None, position: int) -> None:
        column = self._column(name)
        if column.identity:
            raise SqlSyntaxError(f'column "{name}" of relation "{self.name}" is an identity column')
        if column.generated is not None:
            raise SqlSyntaxError(f'column "{name}" of relation "{self.name}" is a generated column')
        sequence = ""
        if default is not None:
            check_expression(default, "default", position)
            if (named := sequence_named(default)) is not None:
                sequence = self._definer.resolve(named)
        self._with_column(replace(column, default=default, sequence=sequence))
        self._definer.check_expressions(self.table, (), ())

    def _set_not_null(self, name: str, *, not_null: bool) -> None:
        column = self._column(name)
        if not not_null and name in self.table.primary_key:
            raise InvalidDefinition(f'column "{name}" is in a primary key')
        if not not_null and column.identity:
            raise SqlSyntaxError(f'column "{name}" of relation "{self.name}" is an identity column')
        self._with_column(replace(column, not_null=not_null))

    def _set_type(self, action: st.SetType) -> None:
        name, column = action.name, self._column(action.name)
        if name in self.retyped:
            raise FeatureNotSupported(f'cannot alter type of column "{name}" twice')
        if column.generated is not None:
            raise FeatureNotSupported("another type for a generated column is not supported")
        for other in self.table.columns:
            if other.generated is not None and name in column_names(other.generated):
                raise FeatureNotSupported(
                    "cannot alter type of a column used by a generated column",
                    detail=f'Column "{name}" is used by generated column "{other.name}".',
                )
        if column.identity and action.type.name not in IDENTITY_TYPES:
            raise InvalidParameter("identity column type must be smallint, integer, or bigint")
        self.retyped[name] = check_conversion(self.before, action, column)
        place = self.table.schema.get_field_index(name)
        self._with_schema(self.table.schema.set(place, typed_field(name, action.type)))
        self.sources = (*self.sources[:place], -1, *self.sources[place + 1 :])
        self._with_column(replace(column, type_name=action.type.name))
        self._definer.check_expressions(self.table, (), ())

    # -- constraints ---------------------------------------------------------------------------

    def _add_primary_key(self, action: st.AddPrimaryKey) -> None:
        if self.table.primary_key:
            raise InvalidDefinition(
                f'multiple primary keys for table "{self.name}" are not allowed', position=action.position + 1
            )
        for column in action.columns:
            self._in_key(column, action.position)
            self._with_column(replace(self._column(column), not_null=True))
        key_name = self._definer.key_name(self.name, action.name)
        refuse_keyed(self.table, action.columns)
        self.table = replace(self.table, primary_key=action.columns, key_name=key_name)

    def _drop_constraint(self, action: st.DropConstraint) -> None:
        name, table = action.name, self.table
        checks = tuple(check for check in table.checks if check.name != name)
        uniques = tuple(unique for unique in table.uniques if unique.name != name or not unique.is_constraint)
        is_key = bool(table.primary_key) and table.primary_key_name == name
        if len(checks) == len(table.checks) and len(uniques) == len(table.uniques) and not is_key:
            message = f'constraint "{name}" of relation "{self.name}" does not exist'
            if not action.if_exists:
                raise UndefinedObject(message)
            self._notify(f"{message}, skipping")
            return
        self.table = replace(table, checks=checks, uniques=uniques)
        if is_key:
            self.table = replace(self.table, primary_key=(), key_name="")


def with_renamed_column(table: Relation, old: str, new: str, rewrite: Callable[[str, str, str], str]) -> Relation:
    """The table with another name for a column; ``rewrite`` puts it into expressions."""
    schema = table.schema
    place = schema.get_field_index(old)
    if place < 0:
        raise UndefinedColumn(f'column "{old}" does not exist')
    if schema.get_field_index(new) >= 0:
        raise DuplicateColumn(f'column "{new}" of relation "{table.shown}" already exists')

    def names(columns: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(new if column == old else column for column in columns)

    def column(found: ColumnDefinition) -> ColumnDefinition:
        generated = None if found.generated is None else rewrite(found.generated, old, new)
        return replace(found, name=new if found.name == old else found.name, generated=generated)

    def check(text: str) -> str:
        return rewrite(text, old, new)

    return replace(
        table,
        schema_ipc=bytes(schema.set(place, schema.field(place).with_name(new)).serialize()),
        columns=tuple(map(column, table.columns)),
        primary_key=names(table.primary_key),
        checks=tuple(replace(c, expression=check(c.expression), columns=names(c.columns)) for c in table.checks),
        uniques=tuple(replace(u, columns=names(u.columns)) for u in table.uniques),
        indexes=tuple(replace(i, columns=names(i.columns)) for i in table.indexes),
    )


def with_renamed_constraint(table: Relation, old: str, new: str) -> Relation:
    known = {c.name for c in table.checks} | {u.name for u in table.uniques if u.is_constraint}
    known |= {table.primary_key_name} if table.primary_key else set()
    shown = table.shown
    if old not in known:
        raise UndefinedObject(f'constraint "{old}" for table "{shown}" does not exist')
    if new in known:
        raise DuplicateObject(f'constraint "{new}" for relation "{shown}" already exists')
    if table.primary_key and table.primary_key_name == old:
        return replace(table, key_name=new)
    return replace(
        table,
        checks=tuple(replace(c, name=new) if c.name == old else c for c in table.checks),
        uniques=tuple(replace(u, name=new) if u.name == old else u for u in table.uniques),
    )
