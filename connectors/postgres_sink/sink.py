"""CREATE SINK … WITH (connector = 'postgres', table = …)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from constellationdb.connectors.api import Options, SinkShape
from constellationdb.connectors.options import Option, read_options
from constellationdb.connectors.output.csv import csv_lines
from constellationdb.connectors.postgres_conninfo import CONNECTION_OPTIONS, conninfo_of, table_of
from constellationdb.connectors.postgres_pool import is_transient
from constellationdb.connectors.postgres_sink.target import COLUMNS, UNIQUE, Target
from constellationdb.connectors.postgres_sql import quote
from constellationdb.errors import ConnectorFailure, FeatureNotSupported, SinkFailure

if TYPE_CHECKING:
    import psycopg

OPTIONS = (
    *CONNECTION_OPTIONS,
    Option("create_table", "flag", "true"),
    Option("marker_table", default="constellation_sinks"),
    Option("statement_timeout", "duration", "60s", minimum=1_000),
)
_SETTINGS = (
    "SELECT set_config('statement_timeout', $1, false), set_config('timezone', 'UTC', false),"
    # What the marker says must be true after a crash of that server, too.
    " set_config('synchronous_commit', 'on', false), set_config('datestyle', 'ISO, MDY', false),"
    " set_config('client_min_messages', 'warning', false)"
)
_CHUNK_ROWS = 8192
_PUT, _GONE = "pg_temp.constellation_put", "pg_temp.constellation_gone"
_NOTHING = -1  # the marker of a sink that has committed nothing


class PostgresSink:
    def __init__(self, shape: SinkShape, options: Options) -> None:
        settings = read_options("postgres", OPTIONS, options)
        if shape.type == "debezium":
            raise FeatureNotSupported(
                'type debezium with connector "postgres" is not supported',
                hint="use type = 'upsert', or the file connector",
            )
        self._shape = shape
        self._conninfo, self._password = conninfo_of(settings)
        self._target = Target(table_of(settings), shape)
        self._marker = ".".join(quote(part) for part in settings.text("marker_table").split(".", 1))
        self._creates = settings.flag("create_table")
        self._timeout_ms = max(settings.integer("statement_timeout") // 1_000, 1)

    def check(self) -> None:
        writer = self.open()
        try:
            writer.check()
        finally:
            writer.close()

    def open(self) -> PostgresWriter:
        with told(self._password):
            connection = self._connect()
        return PostgresWriter(connection, self._target, self._marker, self._password, creates=self._creates)

    def _connect(self) -> psycopg.Connection[Any]:
        import psycopg

        connection = psycopg.connect(self._conninfo, cursor_factory=psycopg.RawCursor, client_encoding="utf8")
        try:
            connection.execute(_SETTINGS, [str(self._timeout_ms)])
            connection.commit()
        except BaseException:
            connection.close()
            raise
        return connection


class PostgresWriter:
    """See ``SinkWriter``."""

    def __init__(
        self, connection: psycopg.Connection[Any], target: Target, marker: str, password: str | None, *, creates: bool
    ) -> None:
        self._connection = connection
        self._target = target
        self._shape = target.shape
        self._marker = marker
        self._password = password
        self._creates = creates
        self._position: int | None = None
        self._begun = False
        self._nulls_in_key = False
        self._bytes = 0

    def check(self) -> None:
        with told(self._password):
            if self._marker_exists():
                self._read_position("")
            self._check_target()
            self._connection.rollback()

    def position(self) -> int | None:
        with told(self._password):
            self._position = self._read_position("") if self._marker_exists() else None
            self._connection.rollback()
        return self._position

    def _marker_exists(self) -> bool:
        return self._one("SELECT to_regclass($1::text)", self._marker)[0] is not None

    def _read_position(self, locking: str) -> int | None:
        text = f"SELECT id, epoch FROM {self._marker} WHERE sink = $1 {locking}"
        found = self._connection.execute(text, [self._shape.name]).fetchone()
        if found is None:
            return None
        if found[0] != self._shape.id:
            raise SinkFailure(
                f'another sink "{self._shape.name}" has written to that database, up to epoch {found[1]}',
                hint=f"name this one otherwise, or empty its table and delete its row of {self._marker}",
            )
        return None if found[1] == _NOTHING else int(found[1])

    def write(self, rows: pa.RecordBatch, deleted: pa.RecordBatch | None = None) -> None:
        with told(self._password):
            self._begin()
            if self._shape.type == "append":
                self._copy(self._target.name, rows)
                return
            if deleted is not None and deleted.num_rows:
                self._delete(deleted)
            if rows.num_rows:
                self._upsert(rows)

    def commit(self, epoch: int) -> int:
        with told(self._password):
            self._begin()
            text = f"UPDATE {self._marker} SET epoch = $2, committed_at = now() WHERE sink = $1"
            self._connection.execute(text, [self._shape.name, epoch])
            self._connection.commit()
        written, self._bytes = self._bytes, 0
        self._position, self._begun = epoch, False
        return written

    def close(self) -> None:
        with suppress(Exception):  # it is of no use any more, whatever it says
            self._connection.close()

    # -- a transaction -------------------------------------------------------------------------

    def _begin(self) -> None:
        """Lock our marker, which must be what it was, and see that there is a table to write to."""
        if self._begun:
            return
        execute = self._connection.execute
        if not self._marker_exists():
            execute(
                f"CREATE TABLE IF NOT EXISTS {self._marker} (sink text PRIMARY KEY, id text NOT NULL,"
                " epoch bigint NOT NULL, committed_at timestamptz NOT NULL DEFAULT now())"
            )
        execute(
            f"INSERT INTO {self._marker} (sink, id, epoch) VALUES ($1, $2, {_NOTHING}) ON CONFLICT DO NOTHING",
            [self._shape.name, self._shape.id],
        )
        if (found := self._read_position("FOR UPDATE")) != self._position:
            raise ConnectorFailure(
                f'the marker of sink "{self._shape.name}" went from {self._position} to {found} unseen',
                hint="a commit of ours that was cut off has come through, or another server writes as this sink",
            )
        if not self._check_target():
            execute(self._target.creation(self._connection.info.server_version))
            self._check_target()
        self._begun = True

    def _check_target(self) -> bool:
        """Whether there is a table, which then fits."""
        columns = dict(self._connection.execute(COLUMNS, [self._target.name]).fetchall())
        if not columns:
            if not self._creates:
                raise SinkFailure(
                    f"table {self._target.name} does not exist in Postgres, or is not visible to the user",
                    hint="create it, or leave create_table = false out",
                )
            return False
        self._target.check_columns(columns)
        if self._shape.type == "upsert":
            unique = self._connection.execute(UNIQUE, [self._target.name]).fetchall()
            self._nulls_in_key = self._target.check_key(unique)
        return True

    def _copy(self, table: str, rows: pa.RecordBatch) -> None:
        with self._connection.cursor() as cursor, cursor.copy(self._target.copy(table, rows.schema.names)) as copy:
            for at in range(0, rows.num_rows, _CHUNK_ROWS):
                lines = csv_lines(rows.slice(at, _CHUNK_ROWS))
                copy.write(lines)
                self._bytes += len(lines)

    def _upsert(self, rows: pa.RecordBatch) -> None:
        if not self._nulls_in_key and _has_nulls(rows.select(list(self._shape.key))):
            raise SinkFailure(
                f"a row has NULL in the key ({', '.join(self._shape.key)}) of table {self._target.name},"
                " where it would not replace the one before it",
                hint="declare the key there UNIQUE NULLS NOT DISTINCT, or leave such rows out",
            )
        self._stage(_PUT, rows)
        self._connection.execute(self._target.upsert(_PUT))

    def _delete(self, keys: pa.RecordBatch) -> None:
        self._stage(_GONE, keys)
        self._connection.execute(self._target.delete(_GONE, nulls=False))
        if _has_nulls(keys):
            self._connection.execute(self._target.delete(_GONE, nulls=True))

    def _stage(self, table: str, rows: pa.RecordBatch) -> None:
        self._connection.execute(self._target.staging(table.removeprefix("pg_temp."), rows.schema.names))
        self._connection.execute(f"DELETE FROM {table}")
        self._copy(table, rows)

    def _one(self, text: str, *parameters: object) -> tuple[Any, ...]:
        row = self._connection.execute(text, list(parameters)).fetchone()
        assert row is not None
        return tuple(row)


def _has_nulls(rows: pa.RecordBatch) -> bool:
    return any(column.null_count for column in rows.columns)


@contextmanager
def told(password: str | None) -> Iterator[None]:
    """A connection that fails, a server that is busy or full may be mended; what it says of a row is for good."""
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        first = " ".join(str(error).split())
        message = f"Postgres: {first.replace(password, '***') if password else first}"
        if is_transient(error) or _may_pass(error):
            raise ConnectorFailure(message, hint="it is tried again until it works") from None
        raise SinkFailure(message) from None


def _may_pass(error: psycopg.Error) -> bool:
    """Beyond what a lookup tries again: nobody waits for a sink, so it has time until the server is mended."""
    import psycopg

    state = error.sqlstate
    if state is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    # authentication, database, cancelled or shut down, read-only (a standby), out of disk, locks
    return state[:2] in ("28", "3D", "57", "58") or state in ("25006", "55P03")
