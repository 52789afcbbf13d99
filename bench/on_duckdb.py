"""The same query on DuckDB: once over all rows, one thread, its result read as the changes are."""

from __future__ import annotations

import time
from collections.abc import Callable

import duckdb
import pyarrow as pa

from bench.queries import Query
from bench.run import Run
from bench.sinks import Answer, read_columns
from bench.streams import BATCH_ROWS, build, side_table, write


class DuckdbRun:
    """Arrow tables in memory, or the files themselves; q13's table is DuckDB's own."""

    def __init__(self, run: Run, query: Query) -> None:
        self._query = query
        self._connection = duckdb.connect()
        self._connection.execute("SET threads = 1")
        for stream in query.streams:
            if run.input == "memory":
                self._connection.register(stream, pa.Table.from_batches(build(stream, run.events)))
                continue
            path = write(stream, run.events, run.input, run.folder)
            reader = "read_parquet" if run.input == "parquet" else "read_json"
            self._connection.execute(f"CREATE VIEW {stream} AS SELECT * FROM {reader}('{path}')")
        if query.side:
            self._connection.register("made", side_table(query.side))
            self._connection.execute("CREATE TABLE side AS SELECT * FROM made")

    def timed(self) -> float:
        begin = time.perf_counter()
        self._execute(read_columns)
        return time.perf_counter() - begin

    def answer(self) -> Answer:
        answer = Answer(self._query.types)
        self._execute(answer.add)
        return answer

    def _execute(self, take: Callable[[pa.RecordBatch], object]) -> None:
        reader = self._connection.execute(self._query.batch).to_arrow_reader(BATCH_ROWS)
        for batch in reader:
            take(batch)
