"""Binary parameters read back into text: ``binary_columns`` the other way round."""

from __future__ import annotations

import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa

from constellationdb.catalog import types
from constellationdb.catalog.text import text_encoder
from constellationdb.errors import FeatureNotSupported, InvalidTextRepresentation
from constellationdb.wire.binary_columns import EPOCH_DAYS, EPOCH_US


def parameter_text(data: bytes, oid: int) -> str:
    """A binary parameter as the text the session takes."""
    decoder = _DECODERS.get(oid)
    if decoder is None:
        known = types.by_oid(oid)
        raise FeatureNotSupported(
            f"binary parameters of type {known.name if known else oid} are not supported",
            hint="send this parameter as text",
        )
    try:
        return decoder(data)
    except (struct.error, UnicodeDecodeError) as problem:
        raise InvalidTextRepresentation(f"incorrect binary data format of a parameter of type {oid}") from problem


def _unpacked(layout: str) -> Callable[[bytes], str]:
    def decode(data: bytes) -> str:
        value: Any = struct.unpack(layout, data)[0]
        return _float_text(value) if isinstance(value, float) else str(value)

    return decode


def _float_text(value: float) -> str:
    return {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}.get(repr(value), repr(value))


def _bool_text(data: bytes) -> str:
    return "true" if struct.unpack(">B", data)[0] else "false"


def _date_text(data: bytes) -> str:
    days = struct.unpack(">i", data)[0]
    return _as_text(pa.array([days if abs(days) >= 2**31 - 1 else days + EPOCH_DAYS], pa.date32()))


def _timestamp_text(arrow: pa.DataType) -> Callable[[bytes], str]:
    def decode(data: bytes) -> str:
        us = struct.unpack(">q", data)[0]
        return _as_text(pa.array([us if abs(us) >= 2**63 - 1 else us + EPOCH_US], pa.int64()).cast(arrow))

    return decode


def _time_text(data: bytes) -> str:
    return _as_text(pa.array(struct.unpack(">q", data), pa.time64("us")))


def _interval_text(data: bytes) -> str:
    us, days, months = struct.unpack(">qii", data)
    return _as_text(pa.array([(months, days, us * 1000)], pa.month_day_nano_interval()))


def _as_text(array: pa.Array) -> str:
    text: bytes = text_encoder(array.type)(array)[0].as_py()
    return text.decode()


def _numeric_text(data: bytes) -> str:
    count, weight, sign, scale = struct.unpack_from(">hhHH", data)
    if sign in (0xC000, 0xD000, 0xF000):
        return {0xC000: "NaN", 0xD000: "Infinity", 0xF000: "-Infinity"}[sign]
    digits = struct.unpack_from(f">{count}h", data, 8)
    total = sum(Decimal(digit).scaleb(4 * (weight - i)) for i, digit in enumerate(digits))
    return f"{'-' if sign == 0x4000 else ''}{total:.{scale}f}"


def _text(data: bytes) -> str:
    return data.decode()


_DECODERS: dict[int, Callable[[bytes], str]] = {
    0: _text,
    types.BOOLEAN.oid: _bool_text,
    types.BYTEA.oid: lambda data: "\\x" + data.hex(),
    types.BIGINT.oid: _unpacked(">q"),
    types.SMALLINT.oid: _unpacked(">h"),
    types.INTEGER.oid: _unpacked(">i"),
    types.TEXT.oid: _text,
    types.REAL.oid: _unpacked(">f"),
    types.DOUBLE.oid: _unpacked(">d"),
    types.VARCHAR.oid: _text,
    types.DATE.oid: _date_text,
    types.TIME.oid: _time_text,
    types.TIMESTAMP.oid: _timestamp_text(pa.timestamp("us")),
    types.TIMESTAMPTZ.oid: _timestamp_text(pa.timestamp("us", "UTC")),
    types.INTERVAL.oid: _interval_text,
    705: _text,  # unknown
    1042: _text,  # bpchar
    1700: _numeric_text,
}
