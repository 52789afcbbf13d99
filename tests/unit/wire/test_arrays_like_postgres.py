"""Arrays of every type, in text and in binary, against a real Postgres."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from constellationdb.catalog import types
from constellationdb.catalog.types import SqlType, array_of
from constellationdb.errors import DataException
from constellationdb.wire.columns import column_encoder
from tests.unit.wire.samples import SAMPLES, binary_of

_NASTY = [
    "", "a", "NULL", "null", "nUlL", "a b", 'say "x"', "back\\slash", "{}", "{", "a,b", "é漢", "\t", "nulls", "(", "'",
    "\n", "\v", "\f", "\r", " ", "\\", '"',
]  # fmt: skip
_ELEMENTS = [name for name in SAMPLES if not name.endswith("vector")]


@pytest.fixture(scope="module")
def connection(postgres: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres, autocommit=True) as connected:
        yield connected


def encoded(array: pa.Array, sql_type: SqlType, code: int) -> list[bytes | None]:
    encoder = column_encoder(array.type, sql_type, code)
    values = encoder.vector(array).listed()
    assert encoder.few(array) == values
    for start in range(len(array)):
        assert encoder.vector(array.slice(start, 2)).listed() == values[start : start + 2]
    return values


def _lists(sizes: list[int | None], count: int, rng: random.Random) -> list[list[int | None] | None]:
    return [None if n is None else [rng.choice([*range(count), None]) for _ in range(n)] for n in sizes]


@pytest.mark.parametrize("name", _ELEMENTS)
def test_arrays_are_postgres_bytes(connection: psycopg.Connection, name: str) -> None:
    sample = SAMPLES[name]
    places = _lists([0, 1, 3, None, 2, 5, 1, 40], len(sample.texts), random.Random(name))
    texts = [None if row is None else [None if p is None else sample.texts[p] for p in row] for row in places]
    offsets = pa.array([0, *_running([len(row or ()) for row in places])], pa.int32())
    flat = sample.array.take(pa.array([p for row in places for p in row or ()], pa.int32()))
    array = pa.ListArray.from_arrays(offsets, flat, mask=pa.array([row is None for row in places]))
    if name == "numeric":  # whose elements' zeros at the end go, as those of a bare numeric
        texts = [None if row is None else [None if t is None else _trimmed(t) for t in row] for row in texts]
    sql_type = array_of(sample.sql_type if name != "numeric" else types.numeric())
    assert encoded(array, sql_type, 1) == binary_of(connection, f"(%s::text[])::text::{name}[]", [*texts])
    assert encoded(array, sql_type, 0) == _texts(connection, f"(%s::text[])::text::{name}[]", [*texts])


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".")


def _running(sizes: list[int]) -> list[int]:
    return [sum(sizes[: i + 1]) for i in range(len(sizes))]


def _texts(connection: psycopg.Connection, expression: str, values: list[object]) -> list[bytes | None]:
    rows = [connection.execute(f"SELECT ({expression})::text".encode(), [value]).fetchone() for value in values]
    return [None if row is None or row[0] is None else row[0].encode() for row in rows]


def test_texts_in_arrays_are_quoted_as_postgres_quotes_them(connection: psycopg.Connection) -> None:
    rng = random.Random(18)
    lists: list[list[Any]] = [[rng.choice([*_NASTY, None]) for _ in range(rng.randrange(5))] for _ in range(1000)]
    array = pa.array(lists, pa.list_(pa.string()))
    assert encoded(array, array_of(types.TEXT), 0) == _texts(connection, "%s::text[]", [*lists])
    assert encoded(array, array_of(types.TEXT), 1) == binary_of(connection, "%s::text[]", [*lists])


_NESTED: list[list[Any]] = [
    [[[1, 2, None], [3, 4, 5]], [[1], [2]], [], [[None, None]], [[7]]],
    [[[[1], [2]], [[3], [None]]], [[[1, 2]]], []],
]


@pytest.mark.parametrize("lists", _NESTED, ids=["two dimensions", "three"])
def test_arrays_of_several_dimensions(connection: psycopg.Connection, lists: list[Any]) -> None:
    kind = pa.list_(pa.list_(pa.int32())) if lists is _NESTED[0] else pa.list_(pa.list_(pa.list_(pa.int32())))
    array = pa.array([*lists, None], kind)
    sql_type = array_of(types.INTEGER)
    assert encoded(array, sql_type, 0) == _texts(connection, "%s::int[]", [*lists, None])
    assert encoded(array, sql_type, 1) == binary_of(connection, "%s::int[]", [*lists, None])


def test_lists_of_empty_lists_are_the_empty_array() -> None:
    array = pa.array([[[], []], [[]], []], pa.list_(pa.list_(pa.int32())))
    assert encoded(array, array_of(types.INTEGER), 0) == [b"{}"] * 3
    assert encoded(array, array_of(types.INTEGER), 1) == [bytes(8) + (23).to_bytes(4, "big")] * 3


def test_rows_of_different_lengths_are_no_array() -> None:
    array = pa.array([[[1], [2, 3]]], pa.list_(pa.list_(pa.int32())))
    with pytest.raises(DataException, match="matching dimensions"):
        column_encoder(array.type, array_of(types.INTEGER), 1).vector(array)
