"""A Link to an engine in this process."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from constellationdb.embedded.copying import copy_statement, copy_text, no_copy, quoted
from constellationdb.embedded.link import Answer, Feed, OnNotice
from constellationdb.engine.engine import Engine
from constellationdb.engine.lengths import fitted
from constellationdb.engine.result import Result, ResultColumn, SessionProtocol
from constellationdb.engine.subscription import Subscription as EngineSubscription
from constellationdb.errors import ConstellationError


def open_link(target: str | os.PathLike[str] | None, workers: int = 1, on_notice: OnNotice | None = None) -> LocalLink:
    """Starts an engine, in memory or in a directory, that ends with the link."""
    engine = Engine(Path(target) if target is not None else None, workers=workers)
    try:
        engine.start()
        return LocalLink(engine, on_notice)
    except BaseException:
        engine.close()
        raise


class LocalLink:
    """One session for statements; a query that may never end gets a session of its own."""

    def __init__(self, engine: Engine, on_notice: OnNotice | None = None) -> None:
        self.engine = engine
        self._on_notice = on_notice
        self._session = engine.session()
        self._turn = threading.RLock()
        self._closed = False

    def run(self, sql: str) -> list[Answer]:
        with self._speaking() as session:
            return [self._read(result) for result in session.execute(sql)]

    def stream(self, sql: str) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        with self._speaking() as session:
            answer = Answer(None)
            for result in session.execute(sql):
                if result.streaming:
                    break
                answer = self._read(result)
            else:
                return answer.table().schema, iter(answer.batches)
        schema = _schema(result.columns or ())
        return schema, _endless(self.engine.session(), sql, schema)

    def columns(self, sql: str) -> pa.Schema:
        with self._speaking() as session:
            columns = session.prepare(sql).columns
            session.sync()
        return _schema(columns or ())

    def insert(self, name: str, rows: pa.RecordBatch) -> int:
        with self._turn:
            whole = rows.schema.names == self.columns(f"SELECT * FROM {quoted(name)}").names
            if whole and self._session.transaction_status == "I":
                epoch = self.engine.insert(name, fitted(rows, self.engine.catalog.get(name)))
                self._session.wrote(epoch, {name})  # so that what is read next shows it
                return epoch
            # COPY fills in defaults, and is part of the open transaction.
            with self._speaking() as session:
                for result in session.execute(copy_statement(name, rows)):
                    assert result.copy_in is not None
                    for line in copy_text(rows).to_pylist():
                        result.copy_in.write(line)
                    result.copy_in.finish()
            return int(self.run("SHOW epoch")[-1].table().column(0)[0].as_py())

    def subscribe(self, name: str, snapshot: bool, as_of: int | None) -> Feed:
        return LocalFeed(self.engine.subscribe(name, snapshot=snapshot, progress=True, as_of=as_of))

    def cancel(self) -> None:
        self._session.cancel()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._session.cancel()
            with self._turn:
                self._session.close()
            self.engine.close()

    @contextmanager
    def _speaking(self) -> Iterator[SessionProtocol]:
        with self._turn:
            try:
                yield self._session
            except ConstellationError:
                # The session may not know yet: rows are computed while they are read, after the statement.
                self._session.fail()
                self._session.sync()
                raise

    def _read(self, result: Result) -> Answer:
        _refuse_copy(result)
        batches = tuple(result.batches)
        rows = sum(batch.num_rows for batch in batches)
        tag = result.tag(rows)
        for notice in result.notices:
            if self._on_notice is not None:
                self._on_notice(notice)
        if result.columns is None:
            return Answer(None, (), tag)
        # A numeric column's scale is that of its rows where there are any.
        types = batches[0].schema.types if batches else _schema(result.columns).types
        schema = pa.schema(list(zip([column.name for column in result.columns], types, strict=True)))
        return Answer(schema, tuple(_conformed(batch, schema) for batch in batches), tag)


class LocalFeed:
    """An engine's subscription as a Feed."""

    def __init__(self, subscription: EngineSubscription) -> None:
        self._subscription = subscription

    def next(self, timeout: float | None) -> pa.RecordBatch | None:
        return self._subscription.next(timeout)

    def close(self) -> None:
        self._subscription.close()


def _endless(session: SessionProtocol, sql: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    try:
        for result in session.execute(sql):
            for batch in result.batches:
                yield _conformed(batch, schema)
    finally:
        session.close()


def _conformed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = [column.cast(field.type) for column, field in zip(batch.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _refuse_copy(result: Result) -> None:
    if result.copy_in is not None:
        result.copy_in.fail()
    if result.copy_in is not None or result.copy_out:
        raise no_copy()


def _schema(columns: tuple[ResultColumn, ...]) -> pa.Schema:
    return pa.schema([(column.name, column.arrow) for column in columns])
