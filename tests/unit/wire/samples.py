"""Values of every type: as text that Postgres reads, and as Arrow."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import psycopg
import pyarrow as pa

from constellationdb.catalog import types
from constellationdb.catalog.types import SqlType

_DAY = 86_400_000_000


@dataclass(frozen=True)
class Sample:
    """``read``: whether the type's parameters are read in binary."""

    sql_type: SqlType
    texts: list[str]
    array: pa.Array
    read: bool = True


def _carried(sql_type: SqlType, texts: list[str]) -> Sample:
    """A type whose values are kept as their text."""
    return Sample(sql_type, texts, pa.array(texts), read=False)


def _numbered(sql_type: SqlType, texts: list[str]) -> Sample:
    return Sample(sql_type, texts, pa.array([0 if text == "-" else int(text) for text in texts]), read=False)


def _vector(sql_type: SqlType, texts: list[str]) -> Sample:
    return Sample(
        sql_type, texts, pa.array([[int(n) for n in text.split()] for text in texts], sql_type.arrow), read=False
    )


SAMPLES: dict[str, Sample] = {
    "bool": Sample(types.BOOLEAN, ["t", "f"], pa.array([True, False])),
    "int2": Sample(types.SMALLINT, ["0", "-32768", "32767"], pa.array([0, -32768, 32767], pa.int16())),
    "int4": Sample(types.INTEGER, ["-1", "2147483647"], pa.array([-1, 2**31 - 1], pa.int32())),
    "int8": Sample(types.BIGINT, ["-1", str(-(2**63)), "7"], pa.array([-1, -(2**63), 7])),
    "float4": Sample(types.REAL, ["0.1", "-0", "NaN", "1e30"], pa.array([0.1, -0.0, float("nan"), 1e30], pa.float32())),
    "float8": Sample(types.DOUBLE, ["0.1", "-Infinity", "5e-324"], pa.array([0.1, float("-inf"), 5e-324])),
    "text": Sample(types.TEXT, ["", "é漢", "a b"], pa.array(["", "é漢", "a b"])),
    "varchar": Sample(types.VARCHAR, ["x"], pa.array(["x"])),
    "bytea": Sample(types.BYTEA, ["\\x", "\\x00ff"], pa.array([b"", b"\x00\xff"])),
    "date": Sample(
        types.DATE,
        ["1970-01-01", "2000-01-01", "0044-03-15 BC", "infinity", "-infinity"],
        pa.array([0, 10_957, -735_160, 2**31 - 1, -(2**31)], pa.date32()),
    ),
    "time": Sample(types.TIME, ["00:00:00", "23:59:59.999999"], pa.array([0, _DAY - 1], pa.time64("us"))),
    "timestamp": Sample(
        types.TIMESTAMP,
        ["1970-01-01 00:00:00.000001", "2000-01-01", "infinity", "-infinity"],
        pa.array([1, 10_957 * _DAY, 2**63 - 1, -(2**63)], pa.timestamp("us")),
    ),
    "timestamptz": Sample(types.TIMESTAMPTZ, ["1970-01-02 00:00:00+00"], pa.array([_DAY], pa.timestamp("us", "UTC"))),
    "interval": Sample(
        types.INTERVAL,
        ["1 year 2 mons -3 days 04:05:06.789", "00:00:00"],
        pa.array([(14, -3, 14_706_789_000_000), (0, 0, 0)], pa.month_day_nano_interval()),
    ),
    "numeric": Sample(
        types.numeric(38, 8),
        ["0.00000000", "-1.50000000", "99999999.99990000", "12345678901234567890.00000001", "0.00010000"],
        pa.array(
            [Decimal(s) for s in ("0", "-1.5", "99999999.9999", "12345678901234567890.00000001", "0.0001")],
            pa.decimal128(38, 8),
        ),
    ),
    "bpchar": _carried(types.BPCHAR, ["a ", "é"]),
    "name": _carried(types.NAME, ["", "pg_class", "a b"]),
    '"char"': _carried(types.CHAR, ["r", "v"]),
    "uuid": _carried(types.UUID, ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "00000000-0000-0000-0000-0000000000ff"]),
    "json": _carried(types.JSON, ['{"a": 1}', "[]", '"NULL"', "null"]),
    "jsonb": _carried(types.JSONB, ['{"a": 1, "b": [true, "x"]}', "1.50"]),
    "oid": _numbered(types.OID, ["0", "1", "4294967295"]),
    "xid": _numbered(types.XID, ["3", "4294967295"]),
    "regclass": _numbered(types.REGCLASS, ["-", "99999"]),
    "regtype": _numbered(types.REGTYPE, ["-", "4200000000"]),
    "regproc": _numbered(types.REGPROC, ["-", "99999"]),
    "regrole": _numbered(types.REGROLE, ["-", "99999"]),
    "regnamespace": _numbered(types.REGNAMESPACE, ["-", "99999"]),
    "int2vector": Sample(
        types.INT2VECTOR, ["1 -2 3", "", "7"], pa.array([[1, -2, 3], [], [7]], pa.list_(pa.int16())), read=False
    ),
    "oidvector": Sample(
        types.OIDVECTOR, ["16 4294967295", ""], pa.array([[16, 2**32 - 1], []], pa.list_(pa.int64())), read=False
    ),
}


def binary_of(connection: psycopg.Connection, expression: str, values: list[object]) -> list[bytes | None]:
    """What Postgres sends for ``expression`` of each value ``%s``."""
    found: list[bytes | None] = []
    with connection.cursor(binary=True) as cursor:
        for value in values:
            cursor.execute(f"SELECT {expression}".encode(), [value])
            assert cursor.pgresult is not None
            found.append(cursor.pgresult.get_value(0, 0))
    return found
