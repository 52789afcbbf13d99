"""The rows of a run: Nexmark's three streams and the side tables, in memory or as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from constellationdb.connectors.registry import open_source

BATCH_ROWS = 65_536
_OF_FIFTY = {"bid": 46, "auction": 3, "person": 1}


def rows_of(stream: str, events: int) -> int:
    """How many of the first ``events`` events belong to a stream: whole groups of fifty are taken."""
    return events // 50 * _OF_FIFTY[stream]


def build(stream: str, events: int) -> list[pa.RecordBatch]:
    """A stream's rows in batches of 64k, as the generator makes them."""
    options = {"preset": "nexmark", "table": stream, "limit": str(rows_of(stream, events))}
    source = open_source("generator", None, options)
    reader = source.open("0", {})
    batches, ended = [], False
    while not ended:
        polled = reader.poll(BATCH_ROWS)
        ended = polled.ended
        if polled.batch is not None:
            batches.append(polled.batch)
    return batches


def write(stream: str, events: int, form: str, folder: Path) -> Path:
    """A stream as one file; kept if it is there already."""
    path = folder / f"{stream}.{form}"
    if path.exists():
        return path
    table = pa.Table.from_batches(build(stream, events))
    if form == "parquet":
        pq.write_table(table, path, row_group_size=BATCH_ROWS)
    else:
        import duckdb

        with duckdb.connect() as connection:
            connection.register("stream", table)
            connection.execute(f"COPY stream TO '{path}' (FORMAT json)")
    return path


def side_table(rows: int) -> pa.Table:
    keys = np.arange(rows, dtype=np.int64)
    return pa.table({"key": keys, "value": pa.array([f"value-{k}" for k in range(rows)])})


def write_side(rows: int, folder: Path) -> Path:
    path = folder / f"side_{rows}.csv"
    if not path.exists():
        pyarrow.csv.write_csv(side_table(rows), path)
    return path
