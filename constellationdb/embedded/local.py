"""A Link to an engine in this process."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from constellationdb.embedded.copying import copy_statement, copy_text, no_stream, not_a_copy, quoted, sent
from constellationdb.embedded.link import Answer, Event, Feed, OnNotice, gathered, schema_of
from constellationdb.embedded.parameters import Parameter
from constellationdb.engine.checkpoint_settings import CheckpointSettings
from constellationdb.engine.engine import Engine
from constellationdb.engine.functions import register
from constellationdb.engine.lengths import fitted
from constellationdb.engine.python import PythonFunction, PythonFunctions
from constellationdb.engine.result import Result, SessionProtocol
from constellationdb.engine.subscription import Subscription as EngineSubscription
from constellationdb.errors import ProtocolViolation


def open_link(
    target: str | os.PathLike[str] | None,
    workers: int = 1,
    on_notice: OnNotice | None = None,
    functions: Sequence[PythonFunction] = (),
    checkpoints: CheckpointSettings = CheckpointSettings(),  # noqa: B008 - frozen
) -> LocalLink:
    """Starts an engine, in memory or in a directory, that ends with the link."""
    directory = Path(target) if target is not None else None
    engine = Engine(directory, workers=workers, python=PythonFunctions(functions), checkpoints=checkpoints)
    try:
        engine.start()
        link = LocalLink(engine, on_notice)
        for function in functions:
            link.register(function)
        return link
    except BaseException:
        engine.close()
        raise


class LocalLink:
    """One session for statements; a query that may never end gets a session of its own."""

    def __init__(self, engine: Engine, on_notice: OnNotice | None = None, *, owner: bool = True) -> None:
        self.engine = engine
        self._owner = owner
        self._on_notice = on_notice
        self._session = engine.session()
        self._turn = threading.RLock()
        self._closed = False

    @property
    def transaction_status(self) -> str:
        return self._session.transaction_status

    def run(self, sql: str, parameters: tuple[Parameter, ...] = ()) -> list[Answer]:
        return gathered(self.events(sql, parameters))

    def register(self, given: PythonFunction) -> None:
        with self._speaking():
            register(self._session, given)

    def events(self, sql: str, parameters: tuple[Parameter, ...] = ()) -> Iterator[Event]:
        with self._speaking() as session:
            for result in _results(session, sql, parameters):
                _refuse_copy(result)
                yield from self._events_of(result)

    def stream(self, sql: str, parameters: tuple[Parameter, ...] = ()) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        with self._speaking() as session:
            events: list[Event] = []
            for result in _results(session, sql, parameters):
                _refuse_copy(result)
                if result.streaming:
                    break
                events += self._events_of(result)
            else:
                answer = gathered(iter(events))[-1]
                return answer.table().schema, iter(answer.batches)
        schema = schema_of(result.columns or ())
        return schema, _endless(self.engine.session(), sql, parameters, schema)

    def columns(self, sql: str) -> pa.Schema:
        with self._speaking() as session:
            columns = session.prepare(sql).columns
            session.sync()
        return schema_of(columns or ())

    def insert(self, name: str, rows: pa.RecordBatch) -> int:
        with self._turn:
            whole = rows.schema.names == self.columns(f"SELECT * FROM {quoted(name)}").names
            if whole and not self._computes(name) and self._session.transaction_status == "I":
                relation = self._session.names.relation(name)
                epoch = self.engine.insert(relation.name, fitted(rows, relation))
                self._session.wrote(epoch, {relation.name})  # so that what is read next shows it
                return epoch
            # COPY fills in defaults, and is part of the open transaction.
            if rows.num_rows:
                self.copy_in(copy_statement(name, rows), copy_text(rows))
            return int(self.run("SHOW epoch")[-1].table().column(0)[0].as_py())

    def _computes(self, name: str) -> bool:
        """Whether columns of a relation are not what is inserted."""
        relation = self._session.catalog.relations.get(self._session.names.find(name))
        return relation is not None and any(column.generated is not None for column in relation.columns)

    def copy_in(self, sql: str, data: Iterable[bytes]) -> str:
        with self._speaking() as session:
            tag = None
            for result in session.execute(sql):
                sink = result.copy_in
                if sink is None:
                    raise not_a_copy("FROM STDIN")
                try:
                    for piece in data:
                        sink.write(piece)
                except BaseException:
                    sink.fail()
                    raise
                tag = sink.finish()
                self._hear(result)
            if tag is None:
                raise not_a_copy("FROM STDIN")
            return tag

    def copy_out(self, sql: str) -> Iterator[bytes]:
        with self._speaking() as session:
            for result in session.execute(sql):
                if not result.copy_out:
                    raise not_a_copy("TO STDOUT")
                yield from sent(result)
                self._hear(result)

    def subscribe(self, name: str, snapshot: bool, as_of: int | None) -> Feed:
        with self._turn:
            relation = self._session.names.relation(name)
        return LocalFeed(self.engine.subscribe(relation.name, snapshot=snapshot, progress=True, as_of=as_of))

    def another(self) -> LocalLink:
        return LocalLink(self.engine, self._on_notice, owner=False)

    def cancel(self) -> None:
        self._session.cancel()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._session.cancel()
            with self._turn:
                self._session.close()
            if self._owner:
                self.engine.close()

    @contextmanager
    def _speaking(self) -> Iterator[SessionProtocol]:
        with self._turn:
            try:
                yield self._session
            except BaseException:
                # The session may not know yet: rows are computed while they are read, after the statement.
                self._session.fail()
                self._session.sync()
                raise

    def _events_of(self, result: Result) -> Iterator[Event]:
        rows, schema = 0, None
        for batch in result.batches:
            rows += batch.num_rows
            if result.columns is not None:
                # A numeric column's scale is that of its rows where there are any.
                schema = schema or _with_types(schema_of(result.columns), batch.schema.types)
                if rows == batch.num_rows:
                    yield schema
                yield _conformed(batch, schema)
        if schema is None and result.columns is not None:
            yield schema_of(result.columns)
        tag = result.tag(rows)
        self._hear(result)
        yield tag

    def _hear(self, result: Result) -> None:
        for notice in result.notices:
            if self._on_notice is not None:
                self._on_notice(notice)


class LocalFeed:
    """An engine's subscription as a Feed."""

    def __init__(self, subscription: EngineSubscription) -> None:
        self._subscription = subscription

    def next(self, timeout: float | None) -> pa.RecordBatch | None:
        return self._subscription.next(timeout)

    def close(self) -> None:
        self._subscription.close()


def _results(session: SessionProtocol, sql: str, parameters: tuple[Parameter, ...]) -> Iterator[Result]:
    if not parameters:
        yield from session.execute(sql)
        return
    prepared = session.prepare(sql, tuple(parameter.oid for parameter in parameters))
    if len(prepared.parameters) != len(parameters):
        given, needed = len(parameters), len(prepared.parameters)
        raise ProtocolViolation(
            f'bind message supplies {given} parameters, but prepared statement "" requires {needed}'
        )
    yield session.execute_prepared(prepared, tuple(parameter.text for parameter in parameters))
    session.sync()


def _endless(
    session: SessionProtocol, sql: str, parameters: tuple[Parameter, ...], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    try:
        for result in _results(session, sql, parameters):
            for batch in result.batches:
                yield _conformed(batch, schema)
    finally:
        session.close()


def _with_types(schema: pa.Schema, types: list[pa.DataType]) -> pa.Schema:
    return pa.schema([field.with_type(kind) for field, kind in zip(schema, types, strict=True)])


def _conformed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    if not batch.num_columns:
        return batch  # made anew it would have no rows
    columns = [column.cast(field.type) for column, field in zip(batch.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _refuse_copy(result: Result) -> None:
    if result.copy_in is not None:
        result.copy_in.fail()
    if result.copy_in is not None or result.copy_out:
        raise no_stream()
