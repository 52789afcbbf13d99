"""Binary results against a real Postgres: its bytes for the same value."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from constellationdb.catalog import types
from constellationdb.catalog.types import SqlType
from constellationdb.errors import FeatureNotSupported
from constellationdb.wire.binary_columns import check_binary
from constellationdb.wire.columns import column_encoder
from tests.unit.wire.samples import SAMPLES, binary_of

_COUNT = 20_000
_REST_OF_DAY = "mod(v, 86400000000) * interval '1 microsecond'"


@pytest.fixture(scope="module")
def connection(postgres: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres) as connected:
        yield connected


@pytest.mark.parametrize("name", SAMPLES)
def test_binary_results_are_postgres_bytes(connection: psycopg.Connection, name: str) -> None:
    sample = SAMPLES[name]
    theirs = binary_of(connection, f"%s::{name}", [*sample.texts])
    with_null = pa.concat_arrays([sample.array, pa.nulls(1, sample.array.type)])
    encoder = column_encoder(with_null.type, sample.sql_type, 1)
    for mine in (encoder.vector(with_null).listed(), encoder.few(with_null)):
        assert [None if v is None else v.hex() for v in mine] == [*(v.hex() for v in theirs if v is not None), None]


@pytest.mark.parametrize("name", SAMPLES)
def test_text_results_of_the_same_values(connection: psycopg.Connection, name: str) -> None:
    sample = SAMPLES[name]
    encoder = column_encoder(sample.array.type, sample.sql_type, 0)
    sql = f"SELECT format('%%s', %s::{name})".encode()
    theirs = [connection.execute(sql, [text]).fetchone() for text in sample.texts]
    printed = [row[0].encode() for row in theirs if row is not None]
    assert encoder.vector(sample.array).listed() == encoder.few(sample.array) == printed


def test_random_numerics_are_postgres_bytes(connection: psycopg.Connection) -> None:
    rng = random.Random(5)
    for scale in (0, 1, 4, 7, 20, 38):
        values = [Decimal(rng.randrange(-(10 ** rng.randrange(1, 38)), 10**37)).scaleb(-scale) for _ in range(50)]
        array = pa.array(values, pa.decimal128(38, scale))
        encoder = column_encoder(array.type, types.numeric(38, scale), 1)
        sql = f"SELECT numeric_send(u::numeric(38,{scale})) FROM unnest(%s::text[]) WITH ORDINALITY t(u, n) ORDER BY n"
        theirs = [bytes(row[0]) for row in connection.execute(sql, [[f"{value:f}" for value in values]])]
        assert encoder.few(array) == theirs


def _bulk(name: str, rng: random.Random) -> tuple[SqlType, list[Any], pa.Array, str, str]:
    """Random values: the type, what Postgres is given, the same as Arrow, and how it makes bytes of the one."""
    words = [rng.getrandbits(64) - 2**63 >> rng.randrange(63) for _ in range(_COUNT)]
    doubles = [struct.unpack("d", struct.pack("q", word))[0] for word in words]
    match name:
        case "int8":
            return types.BIGINT, words, pa.array(words), "int8", "int8send(v)"
        case "float8":
            doubles = [value for value in doubles if value == value]
            return types.DOUBLE, [repr(v) for v in doubles], pa.array(doubles), "text", "float8send(v::float8)"
        case "date":
            days = [rng.randrange(-2_440_000, 106_000_000) for _ in range(_COUNT)]
            return types.DATE, days, pa.array(days, pa.date32()), "int8", "date_send(date '1970-01-01' + v::int)"
        case "timestamp":
            us = [rng.randrange(-210_000_000_000_000_000, 9_000_000_000_000_000_000) for _ in range(_COUNT)]
            moment = "timestamp 'epoch' + (v / 86400000000)::int * interval '1 day'"
            array = pa.array(us, pa.timestamp("us"))
            return types.TIMESTAMP, us, array, "int8", f"timestamp_send({moment} + {_REST_OF_DAY})"
        case "interval":
            parts = [(rng.randrange(-9999, 9999), rng.randrange(-9999, 9999), rng.randrange(10**12)) for _ in words]
            texts = [f"{months} months {days} days {us} microseconds" for months, days, us in parts]
            array = pa.array([(m, d, us * 1000) for m, d, us in parts], pa.month_day_nano_interval())
            return types.INTERVAL, texts, array, "text", "interval_send(v::interval)"
        case _:
            values = [Decimal(word).scaleb(-rng.randrange(11)) for word in words]
            array = pa.array(values, pa.decimal128(38, 10))
            return types.numeric(), [f"{v:f}" for v in values], array, "text", "numeric_send(trim_scale(v::numeric))"


@pytest.mark.parametrize("name", ["int8", "float8", "date", "timestamp", "interval", "numeric"])
def test_many_values_are_postgres_bytes(connection: psycopg.Connection, name: str) -> None:
    sql_type, values, array, kind, expression = _bulk(name, random.Random(name))
    sql = f"SELECT {expression} FROM unnest(%s::{kind}[]) WITH ORDINALITY u(v, n) ORDER BY n"
    theirs = [bytes(row[0]) for row in connection.execute(sql.encode(), [values])]
    encoder = column_encoder(array.type, sql_type, 1)
    assert encoder.vector(array).listed() == encoder.few(array) == theirs


def test_a_narrower_batch_is_widened_to_the_described_type() -> None:
    assert column_encoder(pa.int32(), types.BIGINT, 1).vector(pa.array([5], pa.int32())).listed() == [
        (5).to_bytes(8, "big")
    ]


def test_types_without_a_binary_format_are_refused() -> None:
    check_binary(types.BIGINT)
    with pytest.raises(FeatureNotSupported, match="type point has no binary result format here"):
        check_binary(SqlType("point", 600, 16, pa.binary()))
