"""A small engine to serve while a test is about the wire: SELECT by DataFusion, and a few statements by hand.

It keeps ``SessionProtocol``'s contract (positions, implicit transactions, the
failed block, cancel from any thread) so that whatever breaks is the wire.
Tables are lists of rows of text, enough for INSERT and COPY to be seen.

    SUBSCRIBE n        a streaming result: n batches of one row, then it blocks until it is canceled
    RAISE NOTICE text  a notice
    SELECT pg_sleep(s) blocks until canceled, at most s seconds
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator

import datafusion
import pglast
import pyarrow as pa

from constellationdb.catalog import types
from constellationdb.engine.copy_in import scanner_of
from constellationdb.engine.copy_options import copy_options
from constellationdb.engine.copying.fields import Fields
from constellationdb.engine.portals import Portals
from constellationdb.engine.prepared_statements import PreparedStatements
from constellationdb.engine.result import Notice, Prepared, Result, ResultColumn
from constellationdb.engine.sessions import Client
from constellationdb.errors import (
    ConstellationError,
    DataException,
    InFailedTransaction,
    QueryCanceled,
    SqlSyntaxError,
    UndefinedCursor,
    UndefinedObject,
    UndefinedRelation,
)
from tests.unit.no_shortcuts import NoShortcuts

_SETTINGS: dict[str, str] = {
    "application_name": "", "timezone": "UTC", "extra_float_digits": "1", "bytea_output": "hex"
}  # fmt: skip
Row = list[str | None]
Tables = dict[str, tuple[list[str], list[Row]]]


class DataFusionEngine:
    """A ``SessionFactory`` whose sessions share their tables. ``opened`` remembers every session."""

    def __init__(self) -> None:
        self.tables: Tables = {}
        self.opened: list[DataFusionSession] = []

    def session(
        self, user: str, database: str, settings: dict[str, str], client: Client | None = None
    ) -> DataFusionSession:
        session = DataFusionSession(self.tables, user, database, settings)
        session.client = client
        self.opened.append(session)
        session.pid = len(self.opened)
        return session


class DataFusionSession:
    shortcuts = NoShortcuts()

    def __init__(self, tables: Tables, user: str, database: str, settings: dict[str, str]) -> None:
        self.user, self.database = user, database
        self.settings = _SETTINGS | settings
        self.pid = 0
        self.client: Client | None = None
        self.statements = PreparedStatements()
        self.portals = Portals()
        self.on_terminate: Callable[[ConstellationError], None] | None = None
        self.settings_changes = 0
        self.closed = False
        self.synced = 0
        self.batches_read = 0
        self.subscribed = threading.Event()
        self._tables = tables
        self._block = "I"
        self._canceled = threading.Event()
        self._running = False
        self._context = datafusion.SessionContext(
            datafusion.SessionConfig().set("datafusion.execution.time_zone", "UTC")
        )

    # -- SessionProtocol --------------------------------------------------------------------------------------

    def execute(self, sql: str) -> Iterator[Result]:
        self._canceled.clear()
        statements = _split(sql)
        if not statements:
            yield Result("", empty_query=True)
        for statement in statements:
            yield self._run(statement)

    def prepare(self, sql: str, parameter_oids: tuple[int, ...] = ()) -> Prepared:
        statements = _split(sql)
        if len(statements) > 1:
            raise SqlSyntaxError("cannot insert multiple commands into a prepared statement")
        count = max([int(n) for n in re.findall(r"\$(\d+)", sql)], default=0)
        given = dict(enumerate(parameter_oids))
        oids = tuple(given.get(i) or _cast_oid(sql, i + 1) for i in range(count))
        example = _bound(statements[0] if statements else "", oids, (None,) * count)
        return Prepared(sql, oids, self._columns(example))

    def execute_prepared(self, prepared: Prepared, parameters: tuple[str | None, ...], *, more: bool = False) -> Result:  # noqa: ARG002
        self._canceled.clear()
        statements = _split(prepared.sql)
        if not statements:
            return Result("", empty_query=True)
        return self._run(_bound(statements[0], prepared.parameters, parameters))

    @property
    def transaction_status(self) -> str:
        return self._block

    def sync(self) -> None:
        self.synced += 1

    def fail(self) -> None:
        if self._block == "T":
            self._block = "E"

    def setting(self, name: str) -> str:
        if name not in self.settings:
            raise UndefinedObject(f'unrecognized configuration parameter "{name}"')
        return self.settings[name]

    def fetch_portal(self, name: str, limit: int) -> Result:  # noqa: ARG002
        raise UndefinedCursor(f'portal "{name}" does not exist')

    def cancel(self) -> None:
        self._canceled.set()

    def close(self) -> None:
        self.closed = True

    # -- statements -------------------------------------------------------------------------------------------

    def _run(self, sql: str) -> Result:
        if self._block == "E" and not re.match(r"(?i)commit|rollback", sql):
            raise InFailedTransaction("current transaction is aborted, commands ignored until end of transaction block")
        for pattern, action in self._statements():
            if match := re.fullmatch(pattern, sql, re.IGNORECASE | re.DOTALL):
                return action(*match.groups(default=""))
        return self._select(sql)

    def _statements(self) -> list[tuple[str, Callable[..., Result]]]:
        return [
            (r"begin.*", lambda: self._transaction("BEGIN", "T")),
            (r"(commit|rollback).*", lambda word: self._transaction(word.upper(), "I")),
            (r"set (?:session )?(\w+)\s*(?:=|to)\s*'?([^']*)'?", self._set),
            (r"show (\w+)", self._show),
            (r"create table (\w+) \((.*)\)", self._create),
            (r"insert into (\w+) values (.*)", self._insert),
            (r"copy\s+(\w+)\s+from\s+stdin(.*)", self._copy_in),
            (r"copy\s+\((.*)\)\s+to\s+stdout(.*)", self._copy_out),
            (r"subscribe (\d+)", self._subscribe),
            (r"raise notice (.*)", lambda text: Result("DO", notices=[Notice(text, hint="none needed")])),
            (r"select pg_sleep\(([\d.]+)\)", self._sleep),
            (r"(?:discard|deallocate|reset|unlisten|close).*", lambda: Result("DISCARD ALL")),
            (r"select pg_advisory_unlock_all\(\)", lambda: Result("SELECT 0")),
        ]

    def _transaction(self, word: str, block: str) -> Result:
        tag = "ROLLBACK" if self._block == "E" else word
        self._block = block
        return Result(tag)

    def _set(self, name: str, value: str) -> Result:
        self.settings[name] = value
        self.settings_changes += 1
        return Result("SET")

    def _show(self, name: str) -> Result:
        return _rows([(name, types.TEXT)], pa.record_batch({name: [self.setting(name)]}), lambda _: "SHOW")

    def _create(self, name: str, columns: str) -> Result:
        self._tables[name] = ([part.split()[0] for part in columns.split(",")], [])
        return Result("CREATE TABLE")

    def _table(self, name: str) -> tuple[list[str], list[Row]]:
        if name not in self._tables:
            raise UndefinedRelation(f'relation "{name}" does not exist')
        return self._tables[name]

    def _insert(self, name: str, values: str) -> Result:
        rows = self._context.sql(f"SELECT * FROM (VALUES {values})").collect()
        texts = [[None if v is None else str(v) for v in row.values()] for batch in rows for row in batch.to_pylist()]
        self._table(name)[1].extend(texts)
        return Result(f"INSERT 0 {len(texts)}")

    def _copy_in(self, name: str, options: str) -> Result:
        columns, rows = self._table(name)
        return Result("COPY", copy_in=_ListSink(columns, rows, _copy_words(options)))

    def _copy_out(self, query: str, options: str) -> Result:
        result = self._run(query)
        result.copy_out = copy_options(_copy_words(options), "out")
        result.tag_of = lambda rows: f"COPY {rows}"
        return result

    def _subscribe(self, count: str) -> Result:
        def batches() -> Iterator[pa.RecordBatch]:
            for n in range(int(count)):
                yield pa.record_batch({"n": [n]})
            self.subscribed.set()
            self._canceled.wait()
            raise QueryCanceled("canceling statement due to user request")

        return Result("SUBSCRIBE", (ResultColumn("n", types.BIGINT),), batches(), streaming=True)

    def _sleep(self, seconds: str) -> Result:
        if self._canceled.wait(float(seconds)):
            raise QueryCanceled("canceling statement due to user request")
        return _rows([("pg_sleep", types.TEXT)], pa.record_batch({"pg_sleep": [""]}), lambda _: "SELECT 1")

    # -- queries ----------------------------------------------------------------------------------------------

    def _columns(self, sql: str) -> tuple[ResultColumn, ...] | None:
        if match := re.fullmatch(r"(?i)show (\w+)", sql):
            return (ResultColumn(match[1], types.TEXT),)
        if re.match(r"(?i)select pg_sleep", sql):
            return (ResultColumn("pg_sleep", types.TEXT),)
        if re.match(r"(?i)subscribe", sql):
            return (ResultColumn("n", types.BIGINT),)
        if not re.match(r"(?i)select|values|with|table", sql):
            return None
        return _described(self._frame(sql).schema())

    def _frame(self, sql: str) -> datafusion.DataFrame:
        for name, (columns, rows) in self._tables.items():
            self._context.deregister_table(name)
            data = {column: pa.array([row[i] for row in rows], pa.string()) for i, column in enumerate(columns)}
            self._context.register_record_batches(name, [[pa.record_batch(data)]])
        try:
            return self._context.sql(sql)
        except Exception as problem:
            raise DataException(str(problem)) from problem

    def _select(self, sql: str) -> Result:
        frame = self._frame(sql)
        return Result("SELECT", _described(frame.schema()), self._read(frame), lambda rows: f"SELECT {rows}")

    def _read(self, frame: datafusion.DataFrame) -> Iterator[pa.RecordBatch]:
        try:
            for batch in frame.execute_stream():
                if self._canceled.is_set():
                    raise QueryCanceled("canceling statement due to user request")
                self.batches_read += 1
                yield batch.to_pyarrow()
        except ConstellationError:
            raise
        except Exception as problem:
            raise DataException(str(problem)) from problem


class _ListSink:
    """Keeps rows aside until ``finish``."""

    def __init__(self, columns: list[str], rows: list[Row], options: dict[str, str]) -> None:
        self.columns, self.binary = len(columns), False
        self._target = rows
        self._rows: list[Row] = []
        self._scanner = scanner_of("t", columns, copy_options(options))

    def write(self, data: bytes) -> None:
        self._take(self._scanner.feed(data))

    def _take(self, found: Iterable[Fields]) -> None:
        for fields in found:
            columns = [fields.values(place) for place in range(self.columns)]
            self._rows += [[None if v is None else v.decode() for v in row] for row in zip(*columns, strict=True)]

    def finish(self) -> str:
        self._take(self._scanner.finish())
        self._target.extend(self._rows)
        return f"COPY {len(self._rows)}"

    def fail(self) -> None:
        self._rows.clear()


def _split(sql: str) -> list[str]:
    """The statements without their semicolons; raises with the position at which Postgres' grammar gives up."""
    if re.match(r"(?i)\s*(subscribe|raise|copy \(subscribe)\b", sql):
        return [sql.strip().rstrip(";")]
    try:
        parsed = pglast.parse_sql(sql)
    except pglast.parser.ParseError as problem:
        raise SqlSyntaxError(problem.args[0], position=problem.args[1] + 1) from problem
    ends = [(s.stmt_location or 0) + s.stmt_len if s.stmt_len else len(sql) for s in parsed]
    return [sql[s.stmt_location : end].strip() for s, end in zip(parsed, ends, strict=True)]


def _described(schema: pa.Schema) -> tuple[ResultColumn, ...]:
    return tuple(ResultColumn(field.name, types.of_arrow(field.type)) for field in schema)


def _rows(columns: list[tuple[str, types.SqlType]], batch: pa.RecordBatch, tag: Callable[[int], str]) -> Result:
    return Result("SHOW", tuple(ResultColumn(*column) for column in columns), iter([batch]), tag)


def _cast_oid(sql: str, number: int) -> int:
    cast = re.search(rf"\${number}::(\w+)", sql)
    return types.parse_type(cast[1]).oid if cast else types.TEXT.oid


def _bound(sql: str, oids: tuple[int, ...], values: tuple[str | None, ...]) -> str:
    def literal(match: re.Match[str]) -> str:
        index = int(match[1]) - 1
        known = types.by_oid(oids[index])
        name = _DATAFUSION_NAMES.get(known.name, known.name) if known else "text"
        value = values[index]
        return f"CAST({'NULL' if value is None else _quoted(value)} AS {name})"

    return re.sub(r"\$(\d+)", literal, sql)


_DATAFUSION_NAMES = {
    "character varying": "text",
    "numeric": "numeric(38,10)",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
    "double precision": "double",
}


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _copy_words(text: str) -> dict[str, str]:
    """``(format csv, header true, null 'x')`` or psql's bare ``csv``; enough for the tests."""
    inside = re.sub(r"(?i)^\s*with\b", "", text).strip().strip("()")
    if inside.lower() in ("csv", "text"):
        return {"format": inside.lower()}
    pairs = re.findall(r"(\w+)\s*(?:'((?:[^']|'')*)'|(\w+))?", inside)
    return {name.lower(): quoted or word for name, quoted, word in pairs}
