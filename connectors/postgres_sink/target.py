"""The table in Postgres that a sink writes: its columns, its key, and the statements that change it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from constellationdb.catalog.types import NUMERIC_PRECISION, NUMERIC_SCALE, SqlType, of_field
from constellationdb.connectors.api import SinkShape
from constellationdb.connectors.postgres_sql import quote
from constellationdb.errors import DatatypeMismatch, InvalidColumnReference, UndefinedColumn

COLUMNS = (
    "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute"
    " WHERE attrelid = to_regclass($1::text) AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
)
# Servers before 15 have no column that says so: there NULLs are always distinct.
UNIQUE = (
    "SELECT ARRAY(SELECT attname::text FROM pg_attribute a WHERE a.attrelid = i.indrelid"
    " AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])),"
    " coalesce(to_jsonb(i) ->> 'indnullsnotdistinct', 'false') = 'true'"
    " FROM pg_index i WHERE i.indrelid = to_regclass($1::text)"
    " AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL"
)
_TEXTS = frozenset({"text", "character varying"})
_NUMERIC = re.compile(r"numeric\((\d+),(\d+)\)")
# What a type can be stored as so that nothing of it is lost.
_WIDER: dict[str, frozenset[str]] = {
    "smallint": frozenset({"integer", "bigint", "numeric"}),
    "integer": frozenset({"bigint", "numeric", "double precision"}),
    "bigint": frozenset({"numeric"}),
    "real": frozenset({"double precision"}),
    "json": frozenset({"jsonb"}),
}


@dataclass(frozen=True)
class Target:
    """``name`` is quoted."""

    name: str
    shape: SinkShape

    @property
    def columns(self) -> str:
        return _listed(self.shape.schema.names)

    def creation(self, version: int) -> str:
        """Its columns with our types; the key may have NULLs, for a group may, where the server knows such keys."""
        columns = [f"{quote(field.name)} {of_field(field).name}" for field in self.shape.schema]
        if self.shape.type == "upsert":
            rule = "UNIQUE NULLS NOT DISTINCT" if version >= 150_000 else "PRIMARY KEY"
            columns.append(f"{rule} ({_listed(self.shape.key)})")
        return f"CREATE TABLE IF NOT EXISTS {self.name} ({', '.join(columns)})"

    def check_columns(self, there: Mapping[str, str]) -> None:
        for field in self.shape.schema:
            if field.name not in there:
                raise UndefinedColumn(
                    f'table {self.name} in Postgres has no column "{field.name}"', hint="it has " + ", ".join(there)
                )
            if not _holds(there[field.name], of_field(field)):
                raise DatatypeMismatch(
                    f'column "{field.name}" of table {self.name} in Postgres is of type {there[field.name]},'
                    f" which does not hold every {of_field(field).name}",
                    hint="cast it in the query of the sink, or give the column there the same type",
                )

    def check_key(self, unique: Sequence[tuple[Sequence[str], bool]]) -> bool:
        """Whether rows with NULL in the key replace each other, too; 42P10 where no rows do."""
        found = [nulls for names, nulls in unique if set(names) == set(self.shape.key)]
        if not found:
            raise InvalidColumnReference(
                f"table {self.name} in Postgres has no unique or primary key on ({', '.join(self.shape.key)})",
                hint="an upsert needs one on just the columns of the sink's key",
            )
        return any(found)

    # -- the statements of a transaction -------------------------------------------------------

    def copy(self, table: str, columns: Sequence[str]) -> str:
        return f"COPY {table} ({_listed(columns)}) FROM STDIN (FORMAT csv)"

    def staging(self, table: str, columns: Sequence[str]) -> str:
        return (
            f"CREATE TEMPORARY TABLE IF NOT EXISTS {table} ON COMMIT DELETE ROWS"
            f" AS SELECT {_listed(columns)} FROM {self.name} WITH NO DATA"
        )

    def upsert(self, table: str) -> str:
        others = [name for name in self.shape.schema.names if name not in self.shape.key]
        values = ", ".join(f"{quote(name)} = excluded.{quote(name)}" for name in others)
        action = f"DO UPDATE SET {values}" if others else "DO NOTHING"
        return (
            f"INSERT INTO {self.name} ({self.columns}) SELECT {self.columns} FROM {table}"
            f" ON CONFLICT ({_listed(self.shape.key)}) {action}"
        )

    def delete(self, table: str, *, nulls: bool) -> str:
        """``nulls``: the keys that have one, which no index finds by an equation."""
        sign = "IS NOT DISTINCT FROM" if nulls else "="
        pairs = [f"t.{quote(name)} {sign} g.{quote(name)}" for name in self.shape.key]
        if nulls:
            pairs.append("(" + " OR ".join(f"g.{quote(name)} IS NULL" for name in self.shape.key) + ")")
        return f"DELETE FROM {self.name} t USING {table} g WHERE {' AND '.join(pairs)}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(quote, names))


def _holds(theirs: str, ours: SqlType) -> bool:
    """Whether every value of our type is the same in a column of theirs."""
    if theirs == ours.name or (theirs.startswith("character varying(") and ours.name in _TEXTS):
        return True  # a text that is too long is an error there, not another text
    if theirs in _TEXTS:
        return True
    if ours.name.startswith("numeric"):
        return _holds_numeric(theirs, ours)
    return theirs in _WIDER.get(ours.name, ())


def _holds_numeric(theirs: str, ours: SqlType) -> bool:
    if theirs == "numeric":
        return True
    limits = _NUMERIC.fullmatch(theirs)
    if limits is None:
        return False
    own = _NUMERIC.fullmatch(ours.name)
    precision, scale = map(int, own.groups()) if own else (NUMERIC_PRECISION, NUMERIC_SCALE)
    return int(limits[2]) >= scale and int(limits[1]) - int(limits[2]) >= precision - scale
