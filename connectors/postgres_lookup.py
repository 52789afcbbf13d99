"""Connector ``postgres`` for lookup tables: keys in batches, columns and predicates pushed.

Nothing is asked of the server before the first fetch (or ``check``): then the
types of the table's columns are read once, so that a column that is not there
or of another type is named, and later queries cast where they must.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from constellationdb.catalog.types import INTERVAL
from constellationdb.connectors.api import LookupCapabilities, LookupPredicate, Options
from constellationdb.connectors.key_index import fit_keys
from constellationdb.connectors.options import Option, Settings, read_options
from constellationdb.connectors.postgres_pool import PoolStats, PostgresPool
from constellationdb.connectors.postgres_sql import build_query, quote
from constellationdb.connectors.pushdown import ALL_PREDICATES
from constellationdb.errors import ConnectorFailure, FeatureNotSupported, InvalidParameter, UndefinedColumn

OPTIONS = (
    Option("dsn", secret=True),
    Option("connection", secret=True),
    Option("host"),
    Option("port", "integer", minimum=1, maximum=65_535),
    Option("user"),
    Option("password", secret=True),
    Option("dbname"),
    Option("sslmode", "choice", choices=("disable", "allow", "prefer", "require", "verify-ca", "verify-full")),
    Option("table", required=True),
    Option("schema"),
    Option("pool_size", "integer", "4", minimum=1, maximum=64),
    Option("max_keys", "integer", "1000", minimum=1, maximum=100_000),
    Option("connect_timeout", "duration", "5s", minimum=1),
    Option("statement_timeout", "duration", "5s", minimum=1_000),
)
# A server that vanished without a word would otherwise hold its connection for minutes; seconds, but for the last.
_NOTICE_A_DEAD_PEER = {
    "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 15_000,
}  # fmt: skip
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
        self._table = _table(settings)
        conninfo, password = _conninfo(settings)
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


def _table(settings: Settings) -> str:
    """The quoted name; ``sales.products`` is a schema and a table when no schema is given apart."""
    name, schema = settings.text("table"), settings.text_or_none("schema")
    if schema is None and "." in name:
        schema, name = name.split(".", 1)
    return quote(name) if schema is None else f"{quote(schema)}.{quote(name)}"


def _conninfo(settings: Settings) -> tuple[str, str | None]:
    """The connection string and its password; both from dsn and from the options beside it, which win."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    if settings.has("dsn") and settings.has("connection"):
        raise InvalidParameter('options "dsn" and "connection" of connector "postgres" mean the same: give one')
    dsn = settings.text_or_none("dsn") or settings.text_or_none("connection") or ""
    given: dict[str, Any] = {
        name: settings.values[name]
        for name in ("host", "port", "user", "password", "dbname", "sslmode")
        if settings.has(name)
    }
    timeout_s = max(settings.integer("connect_timeout") // 1_000_000, 1)
    try:
        there = conninfo_to_dict(dsn)
        alive = {name: value for name, value in _NOTICE_A_DEAD_PEER.items() if name not in there}
        conninfo = make_conninfo(dsn, connect_timeout=timeout_s, application_name="constellation", **alive, **given)
        password = conninfo_to_dict(conninfo).get("password")
    except psycopg.Error:
        # the driver's own message quotes the text, password and all
        raise InvalidParameter(
            'invalid value for option "dsn" of connector "postgres"',
            hint="expected a connection string like host=… dbname=… user=… or postgresql://user@host/dbname",
        ) from None
    return conninfo, str(password) if password else None


def _without_nul(keys: pa.RecordBatch) -> pa.RecordBatch:
    """A text with a NUL cannot be in Postgres, nor even be asked for."""
    rows = [i for i, row in enumerate(zip(*[c.to_pylist() for c in keys.columns], strict=True)) if not _has_nul(row)]
    return keys if len(rows) == keys.num_rows else keys.take(pa.array(rows, pa.int64()))


def _has_nul(row: tuple[object, ...]) -> bool:
    return any(isinstance(value, str) and "\0" in value for value in row)
