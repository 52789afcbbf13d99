"""CREATE TABLE to catalog commands: the table, its constraints by name, and the sequences of its columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pyarrow as pa
from msgspec.structs import replace

from constellationdb.catalog.catalog import Catalog
from constellationdb.catalog.model import Check, ColumnDefinition, Create, Index, Relation, Unique, make_relation
from constellationdb.catalog.types import VARCHAR, SqlType, field_of
from constellationdb.connectors.relation_options import check_stored
from constellationdb.engine.assignment import check_assignable
from constellationdb.engine.column_defaults import ColumnDefaults
from constellationdb.engine.naming import Place
from constellationdb.engine.object_names import chosen, taken_names
from constellationdb.engine.row_expressions import kind_of
from constellationdb.engine.sequence_definitions import defined, sequence
from constellationdb.errors import (
    DatatypeMismatch,
    DuplicateColumn,
    DuplicateObject,
    DuplicateRelation,
    FeatureNotSupported,
    InvalidParameter,
)
from constellationdb.planner import statements as st
from constellationdb.planner.analysis import equality, kinds
from constellationdb.planner.column_expressions import check_expression, check_generated, column_names, sequence_named
from constellationdb.planner.pinning import unqualified
from constellationdb.planner.rewrite.system_columns import NAMES as SYSTEM_COLUMNS

IDENTITY_TYPES = ("smallint", "integer", "bigint")
# What a name is found as by a session: its sequence, for DEFAULT nextval('name').
Resolve = Callable[[str], str]


def schema_of(columns: tuple[st.ColumnDef, ...]) -> pa.Schema:
    names = [c.name for c in columns]
    for column in columns:
        if names.count(column.name) > 1:
            raise DuplicateColumn(f'column "{column.name}" specified more than once', position=column.position + 1)
        if column.name in SYSTEM_COLUMNS:
            raise DuplicateColumn(f'column name "{column.name}" conflicts with a system column name')
    return pa.schema([pa.field(c.name, c.type.arrow) for c in columns])


def stored_schema(columns: tuple[st.ColumnDef, ...]) -> pa.Schema:
    """The schema of a table, whose fields say which SQL type they are of. A connector brings Arrow types only."""
    schema_of(columns)
    return pa.schema([stored_field(column) for column in columns])


def stored_field(column: st.ColumnDef) -> pa.Field:
    return typed_field(column.name, column.type)


def typed_field(name: str, kind: SqlType) -> pa.Field:
    return pa.field(name, kind.arrow) if kind.oid == VARCHAR.oid else field_of(name, kind)


class TableDefiner:
    """Of tables in one schema; ``beside`` gives places in it, ``defaults`` what knows of a table's defaults."""

    def __init__(
        self,
        catalog: Catalog,
        namespace: int,
        beside: Callable[[str], Place],
        zone: str,
        defaults: Callable[[Relation], ColumnDefaults],
        resolve: Resolve,
    ) -> None:
        self._taken = taken_names(catalog, namespace)
        self._beside = beside
        self._zone = zone
        self._defaults = defaults
        self.resolve = resolve

    def create(self, statement: st.CreateTable, place: Place) -> Create:
        if statement.options.get("connector"):
            raise FeatureNotSupported(
                "a TABLE with a connector is not supported yet",
                hint="CREATE SOURCE with the connector, and a materialized view over it",
                position=statement.name_position + 1,
            )
        check_stored("table", statement.options)
        self._taken.add(place.label)
        table = make_relation(
            place.name,
            "table",
            stored_schema(statement.columns),
            namespace=place.namespace,
            label=place.other_label,
            primary_key=statement.primary_key,
            options=dict(statement.options),
            sql=statement.text,
            zone=self._zone,
        )
        columns, sequences = [], []
        for column in statement.columns:
            made, own = self.column(table, column)
            columns.append(made)
            sequences += own
        table = replace(table, columns=tuple(columns))
        if statement.primary_key:
            refuse_keyed(table, statement.primary_key)
            table = replace(table, key_name=self.key_name(place.label, statement.key_name))
        table = self.with_checks(table, statement.checks)
        for unique in statement.uniques:
            table = self.with_unique(table, unique)
        self.check_expressions(table, statement.columns, statement.checks)
        return Create((*sequences, table))

    def key_name(self, table: str, said: str) -> str:
        """A primary key's name; empty where it is what the table's name makes it."""
        name = said or chosen([table], "pkey", self._taken)
        self._take(name)
        return "" if name == f"{table}_pkey" else name

    def _take(self, name: str) -> None:
        if name in self._taken:
            raise DuplicateRelation(f'relation "{name}" already exists')
        self._taken.add(name)

    def column(self, table: Relation, column: st.ColumnDef) -> tuple[ColumnDefinition, list[Relation]]:
        """The column, and the sequence that is made for it, if any."""
        made = ColumnDefinition(
            column.name,
            column.type.name,
            column.not_null,
            column.default,
            identity=column.identity,
            generated=None if column.generated is None else unqualified(column.generated),
        )
        if column.serial or column.identity:
            if column.type.name not in IDENTITY_TYPES:
                raise InvalidParameter("identity column type must be smallint, integer, or bigint")
            own = self._sequence(table, column)
            made = replace(made, sequence=own.name)
            return made, [own]
        if column.default is not None:
            check_expression(column.default, "default", column.default_position)
            if (named := sequence_named(column.default)) is not None:
                made = replace(made, sequence=self.resolve(named))
        return made, []

    def _sequence(self, table: Relation, column: st.ColumnDef) -> Relation:
        name = chosen([table.shown, column.name], "seq", self._taken)
        self._take(name)
        parameters = defined({"as": column.type.name, **column.sequence_options}, None)
        return sequence(self._beside(name), replace(parameters, column=column.name), table.name)

    def with_checks(self, table: Relation, checks: Iterable[st.CheckDef]) -> Relation:
        """The table with constraints added; those that have a name keep it from those that have none."""
        added = list(checks)
        names = {check.name for check in table.checks}
        for check in added:
            if check.name is not None:
                self._refuse_constraint(table, check.name, names)
                names.add(check.name)
        found = list(table.checks)
        known = table.schema.names
        for check in added:
            columns = tuple(name for name in column_names(check.expression) if name in known)
            name = check.name
            if name is None:
                name = chosen([table.shown, *(columns if len(columns) == 1 else ())], "check", names)
                names.add(name)
            found.append(Check(name, unqualified(check.expression), columns))
        return replace(table, checks=tuple(found))

    def _refuse_constraint(self, table: Relation, name: str, names: set[str]) -> None:
        others = {unique.name for unique in table.uniques if unique.is_constraint}
        key = {table.primary_key_name} if table.primary_key else set()
        if not table.oid and name in names:
            raise DuplicateObject(f'check constraint "{name}" already exists')
        if name in names | others | key:
            raise DuplicateObject(f'constraint "{name}" for relation "{table.shown}" already exists')

    def with_unique(self, table: Relation, unique: st.UniqueDef, *, is_constraint: bool = True) -> Relation:
        refuse_keyed(table, unique.columns)
        label = "key" if is_constraint else "idx"
        name = unique.name or chosen([table.shown, *unique.columns], label, self._taken)
        if is_constraint and unique.name is not None:
            self._refuse_constraint(table, name, {check.name for check in table.checks})
        self._take(name)
        return replace(table, uniques=(*table.uniques, Unique(name, unique.columns, is_constraint)))

    def with_index(self, relation: Relation, name: str | None, columns: tuple[str, ...]) -> Relation:
        name = name or chosen([relation.shown, *columns], "idx", self._taken)
        self._take(name)
        return replace(relation, indexes=(*relation.indexes, Index(name, columns)))

    def check_expressions(
        self, table: Relation, columns: Iterable[st.ColumnDef], checks: Iterable[st.CheckDef]
    ) -> None:
        """Whether what is computed of rows can be."""
        generated = [column.name for column in table.columns if column.generated is not None]
        for column in columns:
            if column.generated is not None:
                at = column.generated_position
                check_generated(column.generated, generated, table.schema.names, at)
                kind = kind_of(table, column.generated, at)
                check_assignable(kind, table.schema.field(column.name), "default expression")
        for check in checks:
            check_expression(check.expression, "check", check.expression_position)
            kind = kind_of(table, check.expression, check.expression_position)
            if kind not in (None, kinds.UNKNOWN, kinds.BOOLEAN):
                raise DatatypeMismatch(
                    f"argument of CHECK must be type boolean, not type {kind}",
                    position=check.expression_position + 1,
                )
        self._defaults(table).check({c.name: c.default_position for c in columns if c.default is not None})


def refuse_keyed(table: Relation, columns: Iterable[str]) -> None:
    """Rows are found by what their values look like, which tells equal values of these types apart."""
    for name in columns:
        kind = kinds.of_field(table.schema.field(name)) if name in table.schema.names else None
        if equality.any_keyed((kind,)):
            raise FeatureNotSupported(
                f"a unique key of {kind} values is not supported",
                detail="Two of them may be equal and look different, such as 24 hours and 1 day.",
            )
