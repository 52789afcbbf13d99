"""Every text encoder against a real Postgres: the same values, the same bytes."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
import pytest

from constellationdb.catalog import types
from constellationdb.catalog.text import PLAIN, Style, text_encoder
from constellationdb.catalog.types import SqlType
from constellationdb.wire.columns import column_encoder

Ask = Callable[..., list[str | None]]
_COUNT = 20_000


@pytest.fixture(scope="module")
def ask(postgres: str) -> Iterator[Ask]:
    """``ask("v::text", values=…)``: what Postgres prints for each value, in order."""
    with psycopg.connect(postgres) as connection:

        def run(expression: str, **arrays: Sequence[object]) -> list[str | None]:
            names = ", ".join(arrays)
            slots = ", ".join(f"%({name})s::{_SQL_ARRAYS[name]}[]" for name in arrays)
            sql = f"SELECT {expression} FROM unnest({slots}) WITH ORDINALITY AS u({names}, n) ORDER BY n"
            rows = connection.execute(sql, {name: list(values) for name, values in arrays.items()}).fetchall()
            return [row[0] for row in rows]

        yield run


_SQL_ARRAYS = {
    "days": "int8",
    "digits": "text",
    "f4": "text",
    "f8": "text",
    "months": "int8",
    "us": "int8",
    "t": "text",
}


def ours(array: pa.Array, sql_type: SqlType | None = None, style: Style = PLAIN) -> list[str | None]:
    """All three ways of printing a column, which must agree."""
    sql_type = sql_type or types.of_arrow(array.type)
    encoder = column_encoder(array.type, sql_type, 0, style)
    values = encoder.vector(array).listed()
    assert encoder.few(array) == values
    assert text_encoder(array.type, sql_type, style)(array).to_pylist() == values
    return [None if value is None else value.decode() for value in values]


def differing(mine: list[str | None], theirs: list[str | None]) -> list[tuple[str | None, str | None]]:
    assert len(mine) == len(theirs) > 0
    return [pair for pair in zip(mine, theirs, strict=True) if pair[0] != pair[1]][:10]


@pytest.mark.parametrize(("bits", "arrow"), [(16, pa.int16()), (32, pa.int32()), (64, pa.int64())])
def test_integers_print_as_postgres_prints_them(ask: Ask, bits: int, arrow: pa.DataType) -> None:
    rng = random.Random(bits)
    least, greatest = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    values = [rng.getrandbits(rng.randrange(1, bits)) * rng.choice((1, -1)) for _ in range(_COUNT)]
    values += [least, least + 1, greatest, 0, *(10**k for k in range(19) if 10**k <= greatest)]
    theirs = ask(f"us::int{bits // 8}::text", us=values)
    assert differing(ours(pa.array(values, arrow)), theirs) == []


def test_booleans_and_texts_print_as_postgres_prints_them(ask: Ask) -> None:
    rng = random.Random(19)
    texts = ["".join(rng.choices('a \t\n\\",é漢🙂', k=rng.randrange(20))) for _ in range(_COUNT)]
    assert differing(ours(pa.array(texts)), ask("t", t=texts)) == []
    flags = [rng.random() < 0.5 for _ in range(_COUNT)]
    theirs = ask("format('%%s', us = 1)", us=[int(flag) for flag in flags])
    assert differing(ours(pa.array(flags)), theirs) == []


def _doubles(rng: random.Random) -> list[float]:
    values = [struct.unpack("d", struct.pack("Q", rng.getrandbits(64)))[0] for _ in range(_COUNT // 2)]
    values += [rng.uniform(1e15, 1e19) for _ in range(_COUNT // 4)]
    values += [round(rng.uniform(-1e6, 1e6), rng.randrange(8)) for _ in range(_COUNT // 4)]
    values += (
        [k * 1e16 for k in range(1, 500)] + [10.0**k for k in range(-323, 309)] + [2.0**k for k in range(-1074, 1024)]
    )
    return [*values, 0.0, -0.0, float("nan"), float("inf"), float("-inf"), 1e15, 123456789012345.6, 9999999999.5]


def test_float8_prints_as_postgres_prints_it(ask: Ask) -> None:
    values = _doubles(random.Random(11))
    theirs = ask("f8::float8::text", f8=[repr(value) for value in values])
    assert differing(ours(pa.array(values)), theirs) == []


def test_float4_prints_as_postgres_prints_it(ask: Ask) -> None:
    bits = np.random.default_rng(12).integers(0, 2**32, _COUNT, dtype=np.uint32)
    special = np.array([0.0, -0.0, 1e6, 123456.7, 999999.5, 2.0**24, 1e-4, 1e-5, np.inf, -np.inf, np.nan], np.float32)
    powers = np.array([2.0**k for k in range(-149, 128)] + [k * 1e9 for k in range(1, 500)], np.float32)
    values = np.concatenate([bits.view(np.float32), special, powers])
    with np.errstate(invalid="ignore"):  # signalling NaNs among the random bits
        texts = [repr(float(value)) for value in values]
    assert differing(ours(pa.array(values)), ask("f4::float4::text", f4=texts)) == []


def test_numeric_without_a_scale_drops_trailing_zeros(ask: Ask) -> None:
    rng = random.Random(13)
    values = [Decimal(rng.randrange(-(10 ** rng.randrange(1, 38)), 10**38)).scaleb(-10) for _ in range(_COUNT)]
    values += [Decimal(1).scaleb(-10), Decimal(0), Decimal(100), Decimal("-0.00001"), Decimal("0.5")]
    array = pa.array(values, pa.decimal128(38, 10))
    theirs = ask("trim_scale(digits::numeric)::text", digits=[f"{value:f}" for value in values])
    assert differing(ours(array, types.numeric()), theirs) == []


@pytest.mark.parametrize(("precision", "scale"), [(10, 2), (12, 0), (38, 20), (9, 9)])
def test_declared_numeric_prints_its_scale(ask: Ask, precision: int, scale: int) -> None:
    rng = random.Random(precision)
    values = [Decimal(rng.randrange(-(10**precision) + 1, 10**precision)).scaleb(-scale) for _ in range(2000)]
    values += [Decimal(0), Decimal(1).scaleb(-scale)]
    theirs = ask(f"digits::numeric({precision},{scale})::text", digits=[f"{value:f}" for value in values])
    array = pa.array(values, pa.decimal128(precision, scale))
    assert differing(ours(array, types.numeric(precision, scale)), theirs) == []


def _instants(rng: random.Random) -> tuple[list[int], list[int]]:
    days = [rng.randrange(-2_440_000, 106_000_000) for _ in range(_COUNT // 4)]
    days += [rng.randrange(-800_000, 3_000_000) for _ in range(_COUNT // 4)] + [0, -1, -719_162, -719_163, 2_932_897]
    us = [rng.choice((0, 500_000, rng.randrange(86_400_000_000), 1, 999_999)) for _ in days]
    return days, us


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_timestamps_print_as_postgres_prints_them(ask: Ask, zone: str | None) -> None:
    days, us = _instants(random.Random(14))
    array = pa.array(
        [day * 86_400_000_000 + rest for day, rest in zip(days, us, strict=True)], pa.timestamp("us", zone)
    )
    local = "((date '1970-01-01' + days::int)::timestamp + us * interval '1 microsecond')"
    theirs = ask(f"({local} AT TIME ZONE 'UTC')::text" if zone else f"{local}::text", days=days, us=us)
    assert differing(ours(array), theirs) == []


def test_dates_print_as_postgres_prints_them(ask: Ask) -> None:
    days, _ = _instants(random.Random(15))
    assert differing(ours(pa.array(days, pa.date32())), ask("(date '1970-01-01' + days::int)::text", days=days)) == []


def test_times_print_as_postgres_prints_them(ask: Ask) -> None:
    rng = random.Random(16)
    us = [rng.randrange(86_400_000_000) // unit * unit for unit in (1, 1000, 10_000, 1_000_000) for _ in range(2000)]
    theirs = ask("(time '00:00' + us * interval '1 microsecond')::text", us=us)
    assert differing(ours(pa.array(us, pa.time64("us"))), theirs) == []
    assert ours(pa.array([86_400_000_000], pa.time64("us"))) == ask("t::time::text", t=["24:00"])


def test_intervals_print_as_postgres_prints_them(ask: Ask) -> None:
    rng = random.Random(17)
    amounts = (0, 0, 1, -1, 12, -12, 13, -13, 11)
    months = [rng.choice((*amounts, rng.randrange(-5000, 5000))) for _ in range(_COUNT)]
    days = [rng.choice((*amounts, rng.randrange(-5000, 5000))) for _ in range(_COUNT)]
    us = [rng.choice((0, 1, -1, 3_600_000_000, rng.randrange(-(10**13), 10**13))) for _ in range(_COUNT)]
    array = pa.array([(m, d, u * 1000) for m, d, u in zip(months, days, us, strict=True)], pa.month_day_nano_interval())
    expression = "months * interval '1 month' + days * interval '1 day' + us * interval '1 microsecond'"
    assert differing(ours(array), ask(f"({expression})::text", months=months, days=days, us=us)) == []


_WORDS = [
    "",
    "a",
    "NULL",
    "null",
    "nUlL",
    "a b",
    'say "x"',
    "back\\slash",
    "{}",
    "a,b",
    "é漢",
    "\t",
    "nulls",
    "(",
    "'",
    "\n",
]


def test_arrays_of_text_are_quoted_as_postgres_quotes_them(postgres: str) -> None:
    rng = random.Random(18)
    lists: list[list[Any]] = [[rng.choice([*_WORDS, None]) for _ in range(rng.randrange(5))] for _ in range(500)]
    with psycopg.connect(postgres) as connection:
        theirs = [connection.execute("SELECT %s::text[]::text", [words]).fetchone() for words in lists]
    assert ours(pa.array(lists, pa.list_(pa.string()))) == [row[0] for row in theirs if row is not None]


def test_records_are_quoted_as_postgres_quotes_them(postgres: str) -> None:
    words = [*_WORDS, None]
    with psycopg.connect(postgres) as connection:
        theirs = [connection.execute("SELECT ROW(1, %s::text)::text", [word]).fetchone() for word in words]
    array = pa.array([{"n": 1, "w": word} for word in words])
    assert ours(array) == [row[0] for row in theirs if row is not None]


def test_bytea_prints_as_hexadecimal(ask: Ask) -> None:
    values = [b"", b"\x00", b"abc", bytes(range(256))]
    theirs = ask("decode(t, 'hex')::text", t=[value.hex() for value in values])
    assert differing(ours(pa.array(values)), theirs) == []


SAMPLES = [
    pa.array([1, None, -(2**63)]),
    pa.array([True, None, False]),
    pa.array([1.5, None, 1e300]),
    pa.array(["a", None, ""]),
    pa.array([b"ab", None, b""]),
    pa.array([Decimal("1.50"), None, Decimal("0.0000000001")], pa.decimal128(38, 10)),
    pa.array([0, None, -(10**17)], pa.timestamp("us")),
    pa.array([0, None, 10**6], pa.date32()),
    pa.array([0, None, 1], pa.time64("us")),
    pa.array([(1, 2, 3000), None, (0, 0, 0)], pa.month_day_nano_interval()),
    pa.array([["a", None], None, []], pa.list_(pa.string())),
    pa.array([{"a": 1}, None, {"a": None}]),
    pa.array(["x", None, "y"]).dictionary_encode(),
    pa.nulls(3),
]


@pytest.mark.parametrize("array", SAMPLES, ids=lambda array: str(array.type))
def test_a_slice_prints_as_its_part_of_the_whole(array: pa.Array) -> None:
    whole = ours(array)
    assert whole[1] is None
    for start in range(len(array) + 1):
        for length in range(len(array) - start + 1):
            assert ours(array.slice(start, length)) == whole[start : start + length]
