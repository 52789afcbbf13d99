"""The columns that FROM brings into sight, with their types."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from constellationdb.planner.inference.parameters import Typed
from constellationdb.planner.postgres_types import Type


@dataclass(frozen=True)
class Column:
    name: str
    value: Typed

    @property
    def type(self) -> Type:
        return self.value.type


# The columns of a query or relation; None: not known.
Columns = tuple[Column, ...] | None


@dataclass
class Scope:
    """``tables`` by alias; ``merged`` stand for two columns each, by USING; ``parent`` is the query around."""

    parent: Scope | None = None
    tables: dict[str, Columns] = field(default_factory=dict)
    merged: dict[str, Column] = field(default_factory=dict)

    def add(self, other: Scope) -> None:
        self.tables |= other.tables
        self.merged |= other.merged

    def column(self, name: str) -> Type:
        """The type of a bare name, here or around; None when there is none, or no telling."""
        if name in self.merged:
            return self.merged[name].type
        for columns in self.tables.values():
            if columns is None:
                return None
            for column in columns:
                if column.name == name:
                    return column.type
        if name in self.tables:
            return "record"
        return None if self.parent is None else self.parent.column(name)

    def qualified(self, table: str, name: str) -> Type:
        if table in self.tables:
            columns = self.tables[table] or ()
            return next((column.type for column in columns if column.name == name), None)
        return None if self.parent is None else self.parent.qualified(table, name)

    def of(self, table: str) -> Columns:
        if table in self.tables:
            return self.tables[table]
        return None if self.parent is None else self.parent.of(table)

    def visible(self) -> Columns:
        """What ``*`` stands for: merged columns first."""
        found = list(self.merged.values())
        for columns in self.tables.values():
            if columns is None:
                return None
            found += [column for column in columns if column.name not in self.merged]
        return tuple(found)


def renamed(columns: Columns, names: Iterable[str]) -> Columns:
    if columns is None:
        return None
    given = list(names)
    return tuple(Column(new, c.value) for new, c in zip(given, columns, strict=False)) + columns[len(given) :]
