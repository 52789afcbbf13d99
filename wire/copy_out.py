"""COPY … TO STDOUT: batches as lines of COPY text or CSV, escaped as Postgres escapes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

from constellationdb.engine.copy_rows import CopyOptions
from constellationdb.wire.columns import ColumnEncoder

_ESCAPES = (("\\", "\\\\"), ("\b", "\\b"), ("\f", "\\f"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"), ("\v", "\\v"))
_ESCAPED = {plain.encode(): escape.encode() for plain, escape in _ESCAPES}
# A delimiter that no number or time contains; others (a minus, a colon) are looked for in every column.
_NEVER_IN_NUMBERS = "\t,;|"


def copy_lines(batch: pa.RecordBatch, encoders: Sequence[ColumnEncoder], options: CopyOptions) -> pa.Array:
    """One line a row, its end included, as a binary array."""
    if not encoders:
        return pa.array([b"\n"] * batch.num_rows, pa.binary())
    fields = [
        _field(encoder.vector(column).cast(pa.string()), column.type, options, len(encoders) == 1)
        for encoder, column in zip(encoders, batch.columns, strict=True)
    ]
    lines = pc.binary_join_element_wise(*fields, options.delimiter)
    return pc.binary_join_element_wise(lines, "\n", "").cast(pa.binary())


def few_copy_lines(batch: pa.RecordBatch, encoders: Sequence[ColumnEncoder], options: CopyOptions) -> list[bytes]:
    """The same lines in text format, row by row: the quicker way for a few rows."""
    delimiter, null = options.delimiter.encode(), options.null.encode()
    special = _special(options.delimiter)
    columns = [encoder.few(column) for encoder, column in zip(encoders, batch.columns, strict=True)]
    return [
        delimiter.join([null if value is None else special.sub(_escape, value) for value in row]) + b"\n"
        for row in zip(*columns, strict=True)
    ]


@cache
def _special(delimiter: str) -> re.Pattern[bytes]:
    return re.compile(b"[\\\\\b\f\n\r\t\v" + re.escape(delimiter.encode()) + b"]")


def _escape(found: re.Match[bytes]) -> bytes:
    return _ESCAPED.get(found[0]) or b"\\" + found[0]


def copy_header(names: Sequence[str], options: CopyOptions) -> bytes:
    """The column names as a line of the same format."""
    fields = [_field(pa.array([name]), pa.string(), options, len(names) == 1)[0].as_py() for name in names]
    return (options.delimiter.join(fields) + "\n").encode()


def _field(text: pa.Array, source: pa.DataType, options: CopyOptions, only: bool) -> pa.Array:
    if not (_is_plain(source) and options.delimiter in _NEVER_IN_NUMBERS):
        text = _csv(text, options, only) if options.csv else _escaped(text, options)
    return text.fill_null(options.null) if text.null_count else text


def _is_plain(source: pa.DataType) -> bool:
    """Numbers, booleans and times hold nothing that either format would escape."""
    return bool(pa.types.is_primitive(source) or pa.types.is_decimal(source))


def _escaped(text: pa.Array, options: CopyOptions) -> pa.Array:
    pattern = f"[\\\\\b\f\n\r\t\v{re.escape(options.delimiter)}]"
    if not pc.any(pc.match_substring_regex(text, pattern)).as_py():
        return text
    for plain, escape in _ESCAPES:
        text = pc.replace_substring(text, plain, escape)
    if options.delimiter != "\t":
        text = pc.replace_substring(text, options.delimiter, "\\" + options.delimiter)
    return text


def _csv(text: pa.Array, options: CopyOptions, only: bool) -> pa.Array:
    """Quoted where a reader would see syntax or NULL; a lone ``\\.`` would end the data."""
    special = re.escape(options.delimiter + options.quote)
    needs = pc.or_(pc.match_substring_regex(text, f"[{special}\r\n]"), pc.equal(text, options.null))
    if only:
        needs = pc.or_(needs, pc.equal(text, "\\."))
    if not pc.any(needs).as_py():
        return text
    inside = text
    if options.escape != options.quote:
        inside = pc.replace_substring(inside, options.escape, options.escape * 2)
    inside = pc.replace_substring(inside, options.quote, options.escape + options.quote)
    return pc.if_else(needs, pc.binary_join_element_wise(options.quote, inside, options.quote, ""), text)
