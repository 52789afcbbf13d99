"""Parameters of Bind against a real Postgres: its binary forms are read as it prints them, or refused as it does."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from decimal import Decimal

import psycopg
import pytest
from psycopg.pq import DiagnosticField as Field
from psycopg.pq import ExecStatus, Format

from constellationdb.catalog import types
from constellationdb.errors import ConstellationError, FeatureNotSupported
from constellationdb.wire.parameters import parameter_text

VALUES = {
    "bool": ["t", "f"],
    "int2": ["0", "-32768", "32767"],
    "int4": ["-1", "2147483647"],
    "int8": ["-1", str(-(2**63)), "7"],
    "oid": ["0", "4294967295"],
    "float4": ["0.1", "-0", "NaN", "1e30", "1", "16777216"],
    "float8": ["0.1", "-Infinity", "5e-324", "1", "1e15", "1e300"],
    "numeric": ["0", "0.00", "-1.50", "99999999.9999", "0.0001", "1e100", "1e-50", "NaN", "Infinity", "-Infinity"],
    "text": ["", "é漢", "a b", "'\\"],
    "varchar": ["x"],
    "bpchar": ["x  "],
    "name": ["x"],
    "bytea": ["\\x", "\\x00ff"],
    "date": ["1970-01-01", "2000-01-01", "0044-03-15 BC", "infinity", "-infinity", "5874897-12-31", "4713-11-24 BC"],
    "time": ["00:00:00", "23:59:59.999999", "24:00:00"],
    "timestamp": ["1970-01-01 00:00:00.000001", "infinity", "-infinity", "4714-11-24 BC", "294246-12-31"],
    "timestamptz": ["1970-01-02 00:00:00+00", "infinity", "2024-02-29 12:00:00.5-03"],
    "interval": ["1 year 2 mons -3 days 04:05:06.789", "00:00:00", "-178000000 years"],
    "uuid": ["00000000-0000-0000-0000-000000000000", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
    "json": ['{"a": [1, 2]}', "null"],
    "jsonb": ['{"b":1,"a":[1,2.50]}', '"é"'],
    "int4[]": ["{}", "{1,2,NULL}", "{{1,2},{3,4}}", "{{{1}},{{NULL}}}", "[2:3]={5,6}", "[0:0][-1:0]={{1,2}}"],
    "text[]": ['{a,"b c","",NULL,"NULL","{x}","q\\"\\\\","é"}', "{{a},{b}}"],
    "timestamptz[]": ['{"2024-01-01 00:00:00+00"}'],
    "numeric[]": ["{1.50,-0.001}"],
    "bool[]": ["{t,f}"],
    "uuid[]": ["{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}"],
    "jsonb[]": ['{"{\\"a\\": 1}"}'],
    "bytea[]": ['{"\\\\x00ff"}'],
    "interval[]": ['{"1 day 02:00:00"}'],
}  # fmt: skip


@pytest.fixture(scope="module")
def connection(postgres: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres, autocommit=True) as connected:
        yield connected


def both_forms(connection: psycopg.Connection, name: str, text: str) -> tuple[int, bytes, str]:
    """A value's type, Postgres' binary form of it and its text."""
    sql = f"SELECT $1::text::{name}"
    forms = []
    for code in (Format.BINARY, Format.TEXT):
        result = connection.pgconn.exec_params(sql.encode(), [text.encode()], result_format=code)
        assert result.status == ExecStatus.TUPLES_OK, result.error_message
        value = result.get_value(0, 0)
        assert value is not None
        forms.append(value)
    return result.ftype(0), forms[0], forms[1].decode()


@pytest.mark.parametrize("name", VALUES)
def test_binary_parameters_are_read_as_postgres_prints_them(connection: psycopg.Connection, name: str) -> None:
    for text in VALUES[name]:
        oid, data, shown = both_forms(connection, name, text)
        read = parameter_text(data, 1, oid, 1)
        assert {"true": "t", "false": "f"}.get(read, read) == shown.replace("{t,f}", "{true,false}")


def test_random_numerics(connection: psycopg.Connection) -> None:
    rng = random.Random(5)
    for scale in (0, 1, 4, 7, 20, 38):
        for _ in range(30):
            value = Decimal(rng.randrange(-(10 ** rng.randrange(1, 38)), 10**37)).scaleb(-scale)
            _, data, shown = both_forms(connection, "numeric", f"{value:f}")
            assert parameter_text(data, 1, 1700, 1) == shown


def header(dimensions: int, flags: int, oid: int, *shape: int) -> bytes:
    return struct.pack(f">iiI{len(shape)}i", dimensions, flags, oid, *shape)


BAD = [
    *((kind.oid, data) for kind in (
        types.BOOLEAN, types.SMALLINT, types.INTEGER, types.BIGINT, types.OID, types.REAL, types.DOUBLE, types.DATE,
        types.TIME, types.TIMESTAMP, types.TIMESTAMPTZ, types.INTERVAL, types.UUID, types.JSONB, types.numeric(),
        types.array_of(types.INTEGER),
    ) for data in (b"", b"\0" * 17)),
    (types.INTEGER.oid, b"\0\0\0"),
    (types.TEXT.oid, b"\xff"),
    (types.TEXT.oid, b"ok \xe9"),
    (types.TEXT.oid, b"a\0b"),
    (types.JSONB.oid, b"\x02{}"),
    (types.DATE.oid, struct.pack(">i", 2_145_031_949)),
    (types.DATE.oid, struct.pack(">i", -2_451_546)),
    (types.TIME.oid, struct.pack(">q", -1)),
    (types.TIMESTAMP.oid, struct.pack(">q", 9_223_371_331_200_000_000)),
    (types.TIMESTAMPTZ.oid, struct.pack(">q", -211_813_488_000_000_001)),
    (1700, struct.pack(">hhHHh", 1, 0, 1, 0, 5)),
    (1700, struct.pack(">hhHHh", 1, 0, 0, 0x4000, 5)),
    (1700, struct.pack(">hhHHh", 1, 0, 0, 0, 10_000)),
    (1700, struct.pack(">hhHH", 1, 0, 0, 0)),
    (1007, header(-1, 0, 23)),
    (1007, header(7, 0, 23)),
    (1007, header(1, 2, 23, 1, 1)),
    (1007, header(1, 0, 25, 1, 1)),
    (1007, header(1, 0, 23, -1, 1)),
    (1007, header(1, 0, 23, 2, 1) + struct.pack(">ii", 4, 1)),
    (1007, header(1, 0, 23, 1, 1) + struct.pack(">ii", 8, 1)),
    (1007, header(1, 0, 23, 1, 1) + struct.pack(">ih", 2, 1)),
    (1007, header(1, 0, 23, 1, 1) + struct.pack(">iii", 4, 1, 1)),
]  # fmt: skip


@pytest.mark.parametrize(("oid", "data"), BAD)
def test_bad_bytes_are_refused_as_postgres_does(connection: psycopg.Connection, oid: int, data: bytes) -> None:
    result = connection.pgconn.exec_params(
        b"SELECT $1 IS NULL", [data], param_types=[oid], param_formats=[Format.BINARY]
    )
    sqlstate = (result.error_field(Field.SQLSTATE) or b"").decode()
    message = (result.error_field(Field.MESSAGE_PRIMARY) or b"").decode()
    with pytest.raises(ConstellationError) as caught:
        parameter_text(data, 1, oid, 1)
    assert (caught.value.sqlstate, caught.value.message) == (sqlstate, message)


def test_a_type_that_is_not_known_here_is_refused() -> None:
    with pytest.raises(FeatureNotSupported, match="type 600 has no binary format"):
        parameter_text(b"", 1, 600, 1)
