"""Blocks of JSON lines that all look alike, decoded by a kernel; the rest is left to the library."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from constellationdb.connectors.kernels import flatjson

_LITERALS = np.frombuffer(b"nulltruefalse", np.uint8)
_WIDEST = np.iinfo(np.int64)


class FlatJson:
    """For the types the kernel knows. ``read`` gives what the slow reader would, or None."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema

    @staticmethod
    def of(schema: pa.Schema) -> FlatJson | None:
        """None when a column is of a type that needs the library."""
        return FlatJson(schema) if all(_kind(t) is not None for t in schema.types) else None

    def read(self, records: bytes, count: int) -> pa.RecordBatch | None:
        """The rows of ``count`` lines, which are valid UTF-8."""
        if not records.endswith(b"\n"):
            return None
        names = _names(records[: records.index(b"\n")])
        if names is None or not set(names) <= set(self._schema.names):
            return None
        fields = [self._schema.field(name) for name in names]
        quoted = [json.dumps(name, ensure_ascii=False).encode() + b":" for name in names]
        data = np.frombuffer(records, np.uint8)
        words, lengths = np.empty(len(names) * count, np.int64), np.empty(len(names) * count, np.int64)
        valid = np.ones(len(names) * count, np.bool_)
        ranges = [_range(field.type) for field in fields]
        rows = flatjson.read_rows(
            data, np.frombuffer(b"".join(quoted), np.uint8), np.cumsum([len(q) for q in quoted]), _LITERALS,
            np.array([_kind(field.type) for field in fields]), np.array([r[0] for r in ranges]),
            np.array([r[1] for r in ranges]), count, words, lengths, valid,
        )  # fmt: skip
        if rows != count:
            return None
        columns = {}
        for place, field in enumerate(fields):
            part = slice(place * count, (place + 1) * count)
            columns[field.name] = _column(data, words[part], lengths[part], valid[part], field.type)
        return pa.RecordBatch.from_arrays(
            [columns[f.name] if f.name in columns else pa.nulls(count, f.type) for f in self._schema],
            schema=self._schema,
        )


def _names(line: bytes) -> list[str] | None:
    """The names of a record in order; None when it is no plain object, or says one twice."""
    try:
        pairs = json.loads(line, object_pairs_hook=list)
    except ValueError:
        return None
    if not isinstance(pairs, list) or not pairs or not all(isinstance(pair, tuple) for pair in pairs):
        return None
    names = [pair[0] for pair in pairs]
    return names if len(set(names)) == len(names) else None


def _kind(target: pa.DataType) -> int | None:
    if pa.types.is_signed_integer(target):
        return flatjson.INTEGER
    if target == pa.string():
        return flatjson.TEXT
    if target == pa.timestamp("us"):
        return flatjson.TIMESTAMP
    return flatjson.BOOLEAN if pa.types.is_boolean(target) else None


def _range(target: pa.DataType) -> tuple[int, int]:
    limits = np.iinfo(target.to_pandas_dtype()) if pa.types.is_integer(target) else _WIDEST
    return int(limits.min), int(limits.max)


def _column(
    data: NDArray[np.uint8],
    words: NDArray[np.int64],
    lengths: NDArray[np.int64],
    valid: NDArray[np.bool_],
    target: pa.DataType,
) -> pa.Array:
    mask = None if valid.all() else ~valid
    if target == pa.string():
        offsets, out = np.empty(len(words) + 1, np.int32), np.empty(int(lengths.sum()), np.uint8)
        flatjson.copy_texts(data, words, lengths, offsets, out)
        validity = None if mask is None else pa.array(valid).buffers()[1]
        buffers = [validity, pa.py_buffer(offsets), pa.py_buffer(out)]
        return pa.Array.from_buffers(target, len(words), buffers)
    if pa.types.is_boolean(target):
        return pa.array(words != 0, target, mask=mask)
    if target == pa.timestamp("us"):
        return pa.array(words, pa.int64(), mask=mask).view(target)
    return pa.array(words.astype(target.to_pandas_dtype(), copy=False), target, mask=mask)
