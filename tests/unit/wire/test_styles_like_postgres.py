"""What a session's settings change in its results, against a real Postgres with the same settings."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Sequence

import numpy as np
import psycopg
import pyarrow as pa
import pytest

from constellationdb.catalog import types
from constellationdb.catalog.text import Style, style_of, text_encoder
from constellationdb.catalog.types import SqlType
from constellationdb.engine.settings import Settings
from constellationdb.errors import ConstellationError, FeatureNotSupported
from constellationdb.wire.columns import column_encoder

_COUNT = 20_000
# By whole days and the rest: an interval times a big number would be rounded.
_MOMENT = (
    "(timestamp 'epoch' + (v / 86400000000)::int * interval '1 day' + mod(v, 86400000000) * interval '1 microsecond')"
    " AT TIME ZONE 'UTC'"
)


@pytest.fixture(scope="module")
def connection(postgres: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres, autocommit=True) as connected:
        yield connected


def ours(array: pa.Array, sql_type: SqlType, style: Style) -> list[bytes | None]:
    encoder = column_encoder(array.type, sql_type, 0, style)
    values = encoder.vector(array).listed()
    assert encoder.few(array) == values
    assert text_encoder(array.type, sql_type, style)(array).to_pylist() == values
    return values


def theirs(connection: psycopg.Connection, expression: str, values: Sequence[object], kind: str) -> list[bytes | None]:
    sql = f"SELECT ({expression})::text FROM unnest(%s::{kind}[]) WITH ORDINALITY u(v, n) ORDER BY n"
    rows = connection.execute(sql.encode(), [list(values)]).fetchall()
    return [None if row[0] is None else row[0].encode() for row in rows]


def differing(mine: list[bytes | None], expected: list[bytes | None]) -> list[tuple[bytes | None, bytes | None]]:
    assert len(mine) == len(expected) > 0
    return [pair for pair in zip(mine, expected, strict=True) if pair[0] != pair[1]][:10]


_ZONES = [
    "UTC", "Europe/Berlin", "europe/london", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns",
    "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo", "Africa/Monrovia", "EST5",
    "GMT+2", "<+05:30>-05:30", "-7", "5.5", "Etc/GMT-14",
]  # fmt: skip


def _instants(rng: random.Random) -> list[int]:
    """Most of them where zones change; none later than what both sides' zone data knows."""
    wide = [rng.randrange(-62_135_596_800, 1_672_531_200) for _ in range(_COUNT // 4)]
    dense = [rng.randrange(-3_000_000_000, 1_672_531_200) for _ in range(_COUNT // 2)]
    hours = [hour * 3600 + rng.choice((-1, 0, 1)) for hour in rng.sample(range(-800_000, 464_000), _COUNT // 4)]
    far = [-210_000_000_000, 0, -1]
    return [s * 1_000_000 + rng.choice((0, 1, 500_000)) for s in [*wide, *dense, *hours, *far]]


@pytest.mark.parametrize("zone", _ZONES)
def test_timestamptz_is_printed_in_the_session_zone(connection: psycopg.Connection, zone: str) -> None:
    us = _instants(random.Random(zone))
    connection.execute("SELECT set_config('timezone', %s, false)", [zone])
    expected = theirs(connection, _MOMENT, us, "int8")
    shown = connection.execute("SHOW timezone").fetchone()
    connection.execute("SET timezone = 'UTC'")
    settings = Settings("me", {})
    settings.set("timezone", zone, local=False)
    name = settings.get("timezone")
    assert shown == (name,)
    array = pa.array(us, types.TIMESTAMPTZ.arrow)
    assert differing(ours(array, types.TIMESTAMPTZ, style_of(name, "1", "hex")), expected) == []


# Zones whose rule for the years to come has been the same for long, far beyond what their files list.
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"])
def test_the_rule_of_a_zone_holds_for_ever(connection: psycopg.Connection, zone: str) -> None:
    rng = random.Random(zone)
    us = [rng.randrange(1_672_531_200, 9_000_000_000_000) * 1_000_000 for _ in range(_COUNT)]
    us += [s * 1_000_000 for s in range(4_000_000_000, 4_100_000_000, 3_600 * 24)]
    connection.execute("SELECT set_config('timezone', %s, false)", [zone])
    expected = theirs(connection, _MOMENT, us, "int8")
    connection.execute("SET timezone = 'UTC'")
    array = pa.array(us, types.TIMESTAMPTZ.arrow)
    assert differing(ours(array, types.TIMESTAMPTZ, style_of(zone, "1", "hex")), expected) == []


def test_infinity_has_no_zone() -> None:
    array = pa.array([2**63 - 1, None, -(2**63)], types.TIMESTAMPTZ.arrow)
    style = style_of("Asia/Kolkata", "1", "hex")
    assert ours(array, types.TIMESTAMPTZ, style) == [b"infinity", None, b"-infinity"]


def test_a_moment_near_the_end_of_its_numbers_is_not_infinity() -> None:
    """Where the local time is beyond what 64 bits of microseconds hold, or just their end."""
    west, east = style_of("<-03:30>+03:30", "1", "hex"), style_of("<+03:30>-03:30", "1", "hex")
    array = pa.array([-(2**63) + 12_600_000_000, -(2**63) + 1], types.TIMESTAMPTZ.arrow)
    assert ours(array, types.TIMESTAMPTZ, west) == [
        b"290309-12-21 19:59:05.224192-03:30 BC",
        b"290309-12-21 16:29:05.224193-03:30 BC",
    ]
    late = pa.array([2**63 - 2], types.TIMESTAMPTZ.arrow)
    assert ours(late, types.TIMESTAMPTZ, east) == [b"294247-01-10 07:30:54.775806+03:30"]


@pytest.mark.parametrize("digits", [-15, -3, 0, 1, 3])
def test_extra_float_digits(connection: psycopg.Connection, digits: int) -> None:
    rng = random.Random(digits)
    doubles = [struct.unpack("d", struct.pack("Q", rng.getrandbits(64)))[0] for _ in range(_COUNT // 2)]
    doubles += [round(rng.uniform(-1e6, 1e6), rng.randrange(8)) for _ in range(_COUNT // 2)]
    doubles += [0.0, -0.0, 1e15, 1e14, 1e-5, float("nan"), float("inf"), float("-inf")]
    with np.errstate(over="ignore"):
        singles = np.array(doubles, np.float32)
    connection.execute(f"SET extra_float_digits = {digits}".encode())
    as_double = theirs(connection, "v::float8", [repr(value) for value in doubles], "text")
    as_single = theirs(connection, "v::float4", [repr(float(value)) for value in singles], "text")
    connection.execute("RESET extra_float_digits")
    style = style_of("UTC", str(digits), "hex")
    assert differing(ours(pa.array(doubles), types.DOUBLE, style), as_double) == []
    assert differing(ours(pa.array(singles), types.REAL, style), as_single) == []


def test_bytea_output_escape(connection: psycopg.Connection) -> None:
    rng = random.Random(4)
    values = [rng.randbytes(rng.randrange(12)) for _ in range(_COUNT)] + [bytes(range(256)), b"\\\\", b""]
    connection.execute("SET bytea_output = escape")
    expected = theirs(connection, "decode(v, 'hex')", [value.hex() for value in values], "text")
    connection.execute("RESET bytea_output")
    assert differing(ours(pa.array(values), types.BYTEA, style_of("UTC", "1", "escape")), expected) == []


def test_elements_of_arrays_follow_the_settings() -> None:
    moments = pa.array([[0], None], pa.list_(types.TIMESTAMPTZ.arrow))
    style = style_of("Asia/Kolkata", "0", "escape")
    assert ours(moments, types.array_of(types.TIMESTAMPTZ), style) == [b'{"1970-01-01 05:30:00+05:30"}', None]
    assert ours(pa.array([[0.1 + 0.2]]), types.array_of(types.DOUBLE), style) == [b"{0.3}"]
    assert ours(pa.array([[b"a\\"]]), types.array_of(types.BYTEA), style) == [b'{"a\\\\\\\\"}']


_WRONG = [
    ("timezone", "Mars/Olympus"),
    ("timezone", "PST"),
    ("timezone", "200"),
    ("extra_float_digits", "4"),
    ("extra_float_digits", "-16"),
    ("extra_float_digits", "many"),
    ("bytea_output", "base64"),
    ("datestyle", "Klingon"),
    ("intervalstyle", "klingon"),
]


@pytest.mark.parametrize(("name", "value"), _WRONG)
def test_a_value_that_is_none_is_refused_as_postgres_does(
    connection: psycopg.Connection, name: str, value: str
) -> None:
    with pytest.raises(psycopg.Error) as their_error:
        connection.execute("SELECT set_config(%s, %s, false)", [name, value])
    with pytest.raises(ConstellationError) as our_error:
        Settings("me", {}).set(name, value, local=False)
    diagnosed = their_error.value.diag
    assert (our_error.value.sqlstate, our_error.value.message) == (diagnosed.sqlstate, diagnosed.message_primary)
    assert (our_error.value.hint, our_error.value.detail) == (diagnosed.message_hint, diagnosed.message_detail)


def test_styles_that_are_not_printed_here_are_refused() -> None:
    for name, value in [("datestyle", "German, DMY"), ("intervalstyle", "iso_8601")]:
        with pytest.raises(FeatureNotSupported):
            Settings("me", {}).set(name, value, local=False)
    settings = Settings("me", {"datestyle": "ISO, DMY"})
    assert settings.get("datestyle") == "ISO, DMY"
