"""Kinds that say more than their names: of rows, enums and maps, and arrays of them.

Such a kind is the name that messages print, so it is compared and shown like any other, and knows its type besides.
"""

from __future__ import annotations

from collections.abc import Iterator

from constellationdb.catalog import types
from constellationdb.catalog.types import SqlType


class Made(str):
    sql_type: SqlType

    def __new__(cls, sql_type: SqlType) -> Made:
        made = super().__new__(cls, sql_type.name)
        made.sql_type = sql_type
        return made


def fields_of(kind: str | None) -> tuple[tuple[str, SqlType], ...]:
    """The fields of a kind of rows; none of any other."""
    return kind.sql_type.fields if isinstance(kind, Made) else ()


def labels_of(kind: str | None) -> tuple[str, ...]:
    return kind.sql_type.labels if isinstance(kind, Made) else ()


def pair_of(kind: str | None) -> tuple[SqlType, SqlType] | None:
    """The types of a map's keys and values."""
    return kind.sql_type.pair if isinstance(kind, Made) else None


def parts_of(kind: str | None) -> Iterator[SqlType]:
    """All the types that a kind is made of."""
    return types.parts_of(kind.sql_type) if isinstance(kind, Made) else iter(())
