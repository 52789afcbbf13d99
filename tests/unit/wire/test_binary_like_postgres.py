"""Binary results against a real Postgres: its bytes for the same value."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal

import psycopg
import pyarrow as pa
import pytest

from constellationdb.catalog import types
from constellationdb.catalog.types import SqlType
from constellationdb.errors import FeatureNotSupported
from constellationdb.wire.binary_columns import check_binary
from constellationdb.wire.columns import column_encoder

# Each value as text that Postgres reads, and as Arrow.
_DAY = 86_400_000_000
_CASES: dict[str, tuple[SqlType, list[str], pa.Array]] = {
    "bool": (types.BOOLEAN, ["t", "f"], pa.array([True, False])),
    "int2": (types.SMALLINT, ["0", "-32768", "32767"], pa.array([0, -32768, 32767], pa.int16())),
    "int4": (types.INTEGER, ["-1", "2147483647"], pa.array([-1, 2**31 - 1], pa.int32())),
    "int8": (types.BIGINT, ["-1", str(-(2**63)), "7"], pa.array([-1, -(2**63), 7])),
    "float4": (types.REAL, ["0.1", "-0", "NaN", "1e30"], pa.array([0.1, -0.0, float("nan"), 1e30], pa.float32())),
    "float8": (types.DOUBLE, ["0.1", "-Infinity", "5e-324"], pa.array([0.1, float("-inf"), 5e-324])),
    "text": (types.TEXT, ["", "é漢", "a b"], pa.array(["", "é漢", "a b"])),
    "varchar": (types.VARCHAR, ["x"], pa.array(["x"])),
    "bytea": (types.BYTEA, ["\\x", "\\x00ff"], pa.array([b"", b"\x00\xff"])),
    "date": (
        types.DATE,
        ["1970-01-01", "2000-01-01", "0044-03-15 BC", "infinity", "-infinity"],
        pa.array([0, 10_957, -735_160, 2**31 - 1, -(2**31)], pa.date32()),
    ),
    "time": (types.TIME, ["00:00:00", "23:59:59.999999"], pa.array([0, _DAY - 1], pa.time64("us"))),
    "timestamp": (
        types.TIMESTAMP,
        ["1970-01-01 00:00:00.000001", "2000-01-01", "infinity", "-infinity"],
        pa.array([1, 10_957 * _DAY, 2**63 - 1, -(2**63)], pa.timestamp("us")),
    ),
    "timestamptz": (types.TIMESTAMPTZ, ["1970-01-02 00:00:00+00"], pa.array([_DAY], pa.timestamp("us", "UTC"))),
    "interval": (
        types.INTERVAL,
        ["1 year 2 mons -3 days 04:05:06.789", "00:00:00"],
        pa.array([(14, -3, 14_706_789_000_000), (0, 0, 0)], pa.month_day_nano_interval()),
    ),
    "numeric": (
        types.numeric(38, 8),
        ["0.00000000", "-1.50000000", "99999999.99990000", "12345678901234567890.00000001", "0.00010000"],
        pa.array(
            [Decimal(s) for s in ("0", "-1.5", "99999999.9999", "12345678901234567890.00000001", "0.0001")],
            pa.decimal128(38, 8),
        ),
    ),
}


@pytest.fixture(scope="module")
def connection(postgres: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres) as connected:
        yield connected


_UNDERSCORED = ("date", "interval", "numeric", "time", "timestamp", "timestamptz")


def postgres_bytes(connection: psycopg.Connection, name: str, text: str) -> bytes:
    function = f"{name}_send" if name in _UNDERSCORED else f"{name}send"
    row = connection.execute(f"SELECT {function}(%s::{name})".encode(), [text]).fetchone()
    assert row is not None
    return bytes(row[0])


@pytest.mark.parametrize("name", _CASES)
def test_binary_results_are_postgres_bytes(connection: psycopg.Connection, name: str) -> None:
    sql_type, texts, array = _CASES[name]
    theirs = [postgres_bytes(connection, name, text) for text in texts]
    with_null = pa.concat_arrays([array, pa.nulls(1, array.type)])
    encoder = column_encoder(with_null.type, sql_type, 1)
    for mine in (encoder.vector(with_null).listed(), encoder.few(with_null)):
        assert [None if v is None else v.hex() for v in mine] == [*(v.hex() for v in theirs), None]


def test_random_numerics_are_postgres_bytes(connection: psycopg.Connection) -> None:
    rng = random.Random(5)
    for scale in (0, 1, 4, 7, 20, 38):
        values = [Decimal(rng.randrange(-(10 ** rng.randrange(1, 38)), 10**37)).scaleb(-scale) for _ in range(50)]
        array = pa.array(values, pa.decimal128(38, scale))
        encoder = column_encoder(array.type, types.numeric(38, scale), 1)
        sql = f"SELECT numeric_send(u::numeric(38,{scale})) FROM unnest(%s::text[]) WITH ORDINALITY t(u, n) ORDER BY n"
        theirs = [bytes(row[0]) for row in connection.execute(sql, [[f"{value:f}" for value in values]])]
        assert encoder.few(array) == theirs


def test_a_narrower_batch_is_widened_to_the_described_type() -> None:
    assert column_encoder(pa.int32(), types.BIGINT, 1).vector(pa.array([5], pa.int32())).listed() == [
        (5).to_bytes(8, "big")
    ]


def test_types_without_a_binary_format_are_refused() -> None:
    check_binary(types.BIGINT)
    with pytest.raises(FeatureNotSupported, match="type point has no binary result format here"):
        check_binary(SqlType("point", 600, 16, pa.binary()))
