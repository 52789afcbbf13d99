"""The error rows that stand for keys without an answer, so that they can be taken back when the key is touched."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from constellationdb.engine.kernels.rows import Rows
from constellationdb.engine.operators.base import Context, FailedRow
from constellationdb.engine.operators.stateless import failed_row

_SCHEMA = pa.schema([("key", pa.binary()), ("sqlstate", pa.string()), ("message", pa.string()), ("row", pa.string())])


class Failures:
    """State: the error rows of each key that cannot be computed now, or not wholly."""

    def __init__(self, node: int) -> None:
        self._node = node
        self._by_key: dict[bytes, list[FailedRow]] = {}

    def note(self, key: Rows, rows: Sequence[pa.RecordBatch], error: BaseException, context: Context) -> None:
        """``key`` (one, or none for a plan without keys) failed with ``error``; ``rows`` are its inputs."""
        shown = next((r.slice(0, 1) for r in rows if r.num_rows), None)
        failed = failed_row(self._node, _row_of_nulls(rows[0].schema) if shown is None else shown, error)
        self.note_rows(key, [failed], context)

    def note_rows(self, key: Rows, failed: list[FailedRow], context: Context) -> None:
        """Some of what ``key`` is made of failed."""
        if failed:
            self._by_key[key.key(0) if len(key) else b""] = failed
            context.errors += failed

    def take_back(self, touched: Rows, context: Context) -> None:
        """Retract what was said of keys that are about to be computed again."""
        if not self._by_key:
            return
        for i in range(len(touched)):
            for known in self._by_key.pop(touched.key(i), ()):
                context.errors.append(FailedRow(known.node, known.sqlstate, known.message, known.row, -known.weight))

    def snapshot(self) -> pa.RecordBatch:
        rows = [(key, f.sqlstate, f.message, f.row) for key, failed in self._by_key.items() for f in failed]
        columns = [pa.array([row[i] for row in rows], kind) for i, kind in enumerate(_SCHEMA.types)]
        return pa.RecordBatch.from_arrays(columns, schema=_SCHEMA)

    def restore(self, rows: pa.RecordBatch) -> None:
        for row in rows.to_pylist():
            failed = FailedRow(self._node, row["sqlstate"], row["message"], row["row"], 1)
            self._by_key.setdefault(row["key"], []).append(failed)


def _row_of_nulls(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.nulls(1, kind) for kind in schema.types], schema=schema)
