"""Connector ``postgres`` for lookup tables: keys in batches, columns and predicates pushed.

Nothing is asked of the server before the first fetch (or ``check``): then the
types of the table's columns are read once, so that a column that is not there
or of another type is named, and later queries cast where they must.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pyarrow as pa

from constellationdb.catalog.types import INTERVAL
from constellationdb.connectors.api import LookupCapabilities, LookupPredicate, Options
from constellationdb.connectors.key_index import fit_keys
from constellationdb.connectors.options import Option, Settings, read_options
from constellationdb.connectors.postgres_conninfo import CONNECTION_OPTIONS, conninfo_of, table_of
from constellationdb.connectors.postgres_pool import PoolStats, PostgresPool
from constellationdb.connectors.postgres_sql import build_query
from constellationdb.connectors.pushdown import ALL_PREDICATES
from constellationdb.errors import ConnectorFailure, FeatureNotSupported, UndefinedColumn

OPTIONS = (
    *CONNECTION_OPTIONS,
    Option("pool_size", "integer", "4", minimum=1, maximum=64),
    Option("max_keys", "integer", "1000", minimum=1, maximum=100_000),
    Option("statement_timeout", "duration", "5s", minimum=1_000),
)
_COLUMN_TYPES = (
    "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute"
    " WHERE attrelid = to_regclass($1::text) AND attnum > 0 AND NOT attisdropped"
)


def open_postgres(schema: pa.Schema, primary_key: Sequence[str], options: Options) -> PostgresLookup:
    return PostgresLookup(schema, primary_key, read_options("postgres", OPTIONS, options))


class PostgresLookup:
    def __init__(self, schema: pa.Schema, primary_key: Sequence[str], settings: Settings) -> None:
        for field in schema:
            if field.type.equals(INTERVAL.arrow):
                raise FeatureNotSupported(f'column "{field.name}" is an interval, which a lookup cannot fetch')
        self.schema = schema
        self.capabilities = LookupCapabilities(ALL_PREDICATES.predicates, True, settings.integer("max_keys"))
        self._key = tuple(primary_key)
        self._table = table_of(settings)
        conninfo, password = conninfo_of(settings)
        self._pool = PostgresPool(
            conninfo, password, settings.integer("pool_size"), settings.integer("statement_timeout")
        )
        self._lock = threading.Lock()
        self._types: dict[str, str] | None = None

    @property
    def stats(self) -> PoolStats:
        return self._pool.stats

    def check(self) -> None:
        """Connect, and compare the declared columns with the table's."""
        self._actual_types()

    def fetch(self, keys: pa.RecordBatch, columns: Sequence[str], predicates: Sequence[LookupPredicate]) -> pa.Table:
        wanted = list(dict.fromkeys([*keys.schema.names, *columns]))
        fields = pa.schema([self.schema.field(name) for name in wanted])
        fitted = _without_nul(fit_keys(keys, [self.schema.field(name).type for name in keys.schema.names]))
        if not fitted.num_rows:
            return fields.empty_table()
        query = build_query(self._table, self.schema, self._actual_types(), fitted, wanted, predicates)
        try:
            rows = self._pool.query(query.text, query.parameters)
        except ConnectorFailure:
            # the table may have been made anew, with other types
            self._types = None
            raise
        values = list(zip(*rows, strict=True)) if rows else [()] * len(wanted)
        try:
            arrays = [pa.array(column, field.type) for column, field in zip(values, fields, strict=True)]
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise ConnectorFailure(f"a value of {self._table} in Postgres does not fit its column: {error}") from None
        return pa.Table.from_arrays(arrays, schema=fields)

    def describe(self, columns: Sequence[str], predicates: Sequence[LookupPredicate]) -> str:
        wanted = list(dict.fromkeys([*self._key, *columns]))
        keys = pa.RecordBatch.from_arrays(
            [pa.array([], self.schema.field(name).type) for name in self._key], names=list(self._key)
        )
        # with the types where they are known: EXPLAIN must not need the server
        return "postgres " + build_query(self._table, self.schema, self._types or {}, keys, wanted, predicates).text

    def close(self) -> None:
        self._pool.close()

    def _actual_types(self) -> dict[str, str]:
        with self._lock:
            if self._types is None:
                rows = self._pool.query(_COLUMN_TYPES, [self._table])
                self._types = self._checked(dict(rows))
            return self._types

    def _checked(self, types: dict[str, str]) -> dict[str, str]:
        if not types:
            raise ConnectorFailure(f"table {self._table} does not exist in Postgres, or is not visible to the user")
        for name in self.schema.names:
            if name not in types:
                raise UndefinedColumn(
                    f'table {self._table} in Postgres has no column "{name}"', hint="it has " + ", ".join(types)
                )
        return types


def _without_nul(keys: pa.RecordBatch) -> pa.RecordBatch:
    """A text with a NUL cannot be in Postgres, nor even be asked for."""
    rows = [i for i, row in enumerate(zip(*[c.to_pylist() for c in keys.columns], strict=True)) if not _has_nul(row)]
    return keys if len(rows) == keys.num_rows else keys.take(pa.array(rows, pa.int64()))


def _has_nul(row: tuple[object, ...]) -> bool:
    return any(isinstance(value, str) and "\0" in value for value in row)
