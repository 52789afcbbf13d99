"""The kernels and the loops give the same bytes, for any values, slices and NULLs."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from constellationdb.catalog import types
from constellationdb.catalog.text import Style, style_of, text_encoder
from constellationdb.catalog.types import SqlType
from constellationdb.engine.copy_options import CopyOptions
from constellationdb.wire.columns import column_encoder
from constellationdb.wire.copy_out import CopyWriter
from constellationdb.wire.rows import data_rows

# SQL types, and the numpy types whose every value is one of theirs.
_FIXED: list[tuple[SqlType, str]] = [
    (types.SMALLINT, "i2"),
    (types.INTEGER, "i4"),
    (types.BIGINT, "i8"),
    (types.OID, "u4"),
    (types.REGCLASS, "u4"),
    (types.REAL, "f4"),
    (types.DOUBLE, "f8"),
    (types.DATE, "i4"),
    (types.TIMESTAMP, "i8"),
    (types.TIMESTAMPTZ, "i8"),
]
_STYLES = [style_of("UTC", "1", "hex"), style_of("America/St_Johns", "0", "escape")]


@st.composite
def fixed_arrays(draw: st.DrawFn, dtype: str, arrow: pa.DataType) -> pa.Array:
    """Any bits, NULLs anywhere with any bits under them, and a slice of it all."""
    values = draw(st_numpy.arrays(dtype, st.integers(0, 40)))
    nulls = draw(st_numpy.arrays(np.bool_, len(values)))
    wide = values.astype("i8") if dtype == "u4" else values
    bitmap = pa.py_buffer(np.packbits(~nulls, bitorder="little"))
    array = pa.Array.from_buffers(arrow, len(values), [bitmap, pa.py_buffer(wide)])
    return _sliced(draw, array)


def _sliced(draw: st.DrawFn, array: pa.Array) -> pa.Array:
    start = draw(st.integers(0, len(array)))
    return array.slice(start, draw(st.integers(0, len(array) - start)))


def check(array: pa.Array, sql_type: SqlType, style: Style) -> None:
    for code in (0, 1):
        encoder = column_encoder(array.type, sql_type, code, style)
        values = encoder.vector(array).listed()
        assert encoder.few(array) == values
        assert [value is None for value in values] == array.is_null().to_pylist()
        if code == 0:
            assert text_encoder(array.type, sql_type, style)(array).to_pylist() == values


@pytest.mark.parametrize("style", _STYLES, ids=["plain", "other"])
@pytest.mark.parametrize(("sql_type", "dtype"), _FIXED, ids=[sql_type.name for sql_type, _ in _FIXED])
@settings(deadline=None)
@given(data=st.data())
def test_numbers_and_moments(sql_type: SqlType, dtype: str, style: Style, data: st.DataObject) -> None:
    check(data.draw(fixed_arrays(dtype, sql_type.arrow)), sql_type, style)


_VARIED: list[tuple[SqlType, st.SearchStrategy[Any]]] = [
    (types.BOOLEAN, st.booleans()),
    (types.TEXT, st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))),
    (types.BYTEA, st.binary()),
    (types.JSONB, st.text('{}[]",:1 a', max_size=9)),
    (types.UUID, st.uuids().map(str)),
    (types.TIME, st.times()),
    (types.numeric(38, 10), st.decimals(-(10**27), 10**27, places=10)),
    (types.numeric(12, 0), st.decimals(-(10**11), 10**11, places=0)),
    (types.numeric(5, 5), st.decimals("-0.99999", "0.99999", places=5)),
    (types.INTERVAL, st.tuples(*[st.integers(-(2**31), 2**31 - 1)] * 2, st.integers(-(2**63), 2**63 - 1))),
    (types.array_of(types.TEXT), st.lists(st.none() | st.text('a,{}" \\\v', max_size=3), max_size=4)),
    (types.array_of(types.INTEGER), st.lists(st.none() | st.integers(-(2**31), 2**31 - 1), max_size=4)),
    (types.INT2VECTOR, st.lists(st.integers(-9, 9), max_size=4)),
]


@pytest.mark.parametrize("style", _STYLES, ids=["plain", "other"])
@pytest.mark.parametrize(("sql_type", "value"), _VARIED, ids=[sql_type.name for sql_type, _ in _VARIED])
@settings(deadline=None)
@given(data=st.data())
def test_values_of_other_types(
    sql_type: SqlType, value: st.SearchStrategy[Any], style: Style, data: st.DataObject
) -> None:
    @st.composite
    def arrays(draw: st.DrawFn) -> pa.Array:
        return _sliced(draw, pa.array(draw(st.lists(st.none() | value, max_size=30)), sql_type.arrow))

    check(data.draw(arrays()), sql_type, style)


_TEXTS = ["", "a", None, "é漢", "tab\t", 'q"', "\\", None, "a,b", "x" * 300] * 3


@pytest.mark.parametrize(
    "arrow", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())], ids=str
)
def test_every_layout_of_text_is_the_same_text(arrow: pa.DataType) -> None:
    plain = pa.array(_TEXTS, pa.string())
    other = plain.dictionary_encode().cast(arrow) if pa.types.is_dictionary(arrow) else pa.array(_TEXTS, arrow)
    expected = column_encoder(pa.string(), types.TEXT, 0).vector(plain).listed()
    for code in (0, 1):
        encoder = column_encoder(arrow, types.TEXT, code)
        for start in (0, 1, 9, 17):
            assert encoder.vector(other.slice(start)).listed() == encoder.few(other.slice(start)) == expected[start:]


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.none() | st.text(st.sampled_from('a\t\n\r\\,"é'), max_size=4)] * 2), max_size=40))
def test_framed_rows_are_those_of_the_loop(rows: list[tuple[str | None, str | None]]) -> None:
    batch = pa.record_batch(
        {"a": pa.array([a for a, _ in rows], pa.string()), "b": pa.array([b for _, b in rows], pa.string())}
    )
    encoders = [column_encoder(pa.string(), types.TEXT, 0)] * 2
    singles = [batch.slice(i, 1) for i in range(len(rows))]
    whole = bytes(data_rows(batch, encoders))
    assert whole == b"".join(bytes(data_rows(single, encoders)) for single in singles)
    assert _unframed(whole) == rows
    for options in (CopyOptions(), CopyOptions(csv=True, delimiter=",", null=""), CopyOptions(binary=True)):
        many, few = CopyWriter(["a", "b"], options), CopyWriter(["a", "b"], options)
        copied = bytes(many.rows(batch, encoders)) + many.end()
        assert copied == b"".join(bytes(few.rows(single, encoders)) for single in singles) + few.end()


def _unframed(data: bytes) -> list[tuple[str | None, ...]]:
    rows, at = [], 0
    while at < len(data):
        kind, size, columns = struct.unpack_from(">cih", data, at)
        end, at, row = at + 1 + size, at + 7, list[str | None]()
        assert kind == b"D"
        for _ in range(columns):
            (length,) = struct.unpack_from(">i", data, at)
            at += 4
            row.append(None if length < 0 else data[at : at + length].decode())
            at += max(length, 0)
        assert at == end
        rows.append(tuple(row))
    return rows
