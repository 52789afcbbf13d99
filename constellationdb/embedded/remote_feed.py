"""A subscription over the wire: COPY lines, read on a thread, handed over in batches."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import psycopg
import pyarrow as pa

from constellationdb.catalog.types import BIGINT
from constellationdb.embedded.remote_errors import translated
from constellationdb.embedded.texts import Columns
from constellationdb.errors import ConstellationError

_BATCH_ROWS = 4_096
_WAITING_BATCHES = 64  # then the server waits, and at last says that we are too slow

TextRow = Sequence[str | None]


class RemoteFeed:
    """Owns the connection. A batch ends with the progress row of its epoch, or when it is large."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]], sql: str, columns: Columns) -> None:
        self._connection = connection
        self._columns = Columns((("_epoch", BIGINT), ("_diff", BIGINT), *columns.kinds))
        self._queue: queue.Queue[pa.RecordBatch | ConstellationError] = queue.Queue(_WAITING_BATCHES)
        self._closing = threading.Event()
        self._begun = threading.Event()  # the server has accepted the subscription, or refused it
        self._failure: ConstellationError | None = None
        self._thread = threading.Thread(target=self._read, args=(sql,), name="subscription", daemon=True)
        self._thread.start()
        self._begun.wait()
        if self._failure is not None:
            self.close()
            raise self._failure

    def next(self, timeout: float | None) -> pa.RecordBatch | None:
        try:
            found = self._queue.get(timeout=timeout)
        except queue.Empty:
            return None
        if isinstance(found, ConstellationError):
            self._queue.put(found)  # it stays at the end, however often one asks
            raise found
        return found

    def close(self) -> None:
        if not self._closing.is_set():
            self._closing.set()
            with suppress(psycopg.Error):  # the server may be gone
                self._connection.cancel_safe(timeout=10.0)
            while self._thread.is_alive():  # it may be waiting for room
                self._drain()
                self._thread.join(0.05)
            self._connection.close()

    def _read(self, sql: str) -> None:
        rows: list[TextRow] = []
        try:
            with self._connection.cursor() as cursor, cursor.copy(sql.encode()) as copy:
                self._begun.set()
                while (row := copy.read_row()) is not None and not self._closing.is_set():
                    rows.append(row)
                    if row[1] is None or len(rows) == _BATCH_ROWS:
                        self._queue.put(self._batch(rows))
                        rows = []
            if rows:
                self._queue.put(self._batch(rows))
            self._end(ConstellationError("the subscription has ended"))
        except psycopg.Error as error:
            self._end(translated(error))

    def _end(self, error: ConstellationError) -> None:
        if not self._begun.is_set():
            self._failure = error
            self._begun.set()
        elif not self._closing.is_set():
            self._queue.put(error)

    def _drain(self) -> None:
        while True:
            try:
                self._queue.get_nowait()
            except queue.Empty:
                return

    def _batch(self, rows: list[TextRow]) -> pa.RecordBatch:
        return self._columns.batch(list(zip(*rows, strict=True)), len(rows))
