"""Values in Postgres' binary formats, read and printed as text; bytes that are none get Postgres' errors.

binary_reader(oid)(data)    the text of a value of a type
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable
from decimal import Decimal, localcontext
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa

from constellationdb.catalog import types
from constellationdb.catalog.text import text_encoder
from constellationdb.catalog.text.floats import double_text, single_text
from constellationdb.errors import (
    CharacterNotInRepertoire,
    DatatypeMismatch,
    DatetimeOverflow,
    FeatureNotSupported,
    InternalError,
    InvalidBinaryRepresentation,
    InvalidTextRepresentation,
    ProgramLimitExceeded,
    ProtocolViolation,
)

EPOCH_DAYS = 10_957  # 2000-01-01 in days since 1970
EPOCH_US = EPOCH_DAYS * 86_400_000_000
# From 2000 on: the first day or microsecond, and the one after the last. Those counted from 1970 end in 294247.
DATE_RANGE = (-2_451_545, 2_145_031_949)
MOMENT_RANGE = (-211_813_488_000_000_000, 2**63 - 1 - EPOCH_US)
_DAY_US = 86_400_000_000
_MOST_DIMENSIONS = 6
_PLAIN_ELEMENT = re.compile(r'[^\s{},"\\]+\Z')

Reader = Callable[[bytes], str]


class SurplusBytesError(Exception):
    """There are more bytes than the value has: whose they are decides what to say."""


def binary_reader(oid: int) -> Reader:
    """The reader of a type; it raises SurplusBytesError for more bytes than a value has."""
    found = _READERS.get(oid)
    if found is not None:
        return found
    known = types.by_oid(oid)
    if known is None or known.element is None or known.element.oid not in _READERS:
        name = oid if known is None else known.name
        raise FeatureNotSupported(f"type {name} has no binary format here", hint="use text")
    element = known.element
    return lambda data: _array(data, element)


def _exactly(layout: str, data: bytes) -> tuple[Any, ...]:
    """The fields of a value that has these and nothing else."""
    size = struct.calcsize(layout)
    if len(data) < size:
        raise ProtocolViolation("insufficient data left in message")
    if len(data) > size:
        raise SurplusBytesError
    return struct.unpack(layout, data)


def utf8_text(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        shown = " ".join(f"0x{byte:02x}" for byte in data[error.start : error.end])
        raise CharacterNotInRepertoire(f'invalid byte sequence for encoding "UTF8": {shown}') from None
    if "\0" in text:
        raise CharacterNotInRepertoire('invalid byte sequence for encoding "UTF8": 0x00')
    return text


def _integer(layout: str) -> Reader:
    return lambda data: str(_exactly(layout, data)[0])


def _boolean(data: bytes) -> str:
    if not data:
        raise ProtocolViolation("no data left in message")
    return "true" if _exactly(">B", data)[0] else "false"


def _date(data: bytes) -> str:
    (days,) = _exactly(">i", data)
    if abs(days) < 2**31 - 1 and days != -(2**31):
        if not DATE_RANGE[0] <= days < DATE_RANGE[1]:
            raise DatetimeOverflow("date out of range")
        days += EPOCH_DAYS
    return _printed(pa.array([days], pa.int32()).cast(pa.date32()))


def _moment(arrow: pa.DataType) -> Reader:
    def decode(data: bytes) -> str:
        (us,) = _exactly(">q", data)
        if us not in (2**63 - 1, -(2**63)):
            if not MOMENT_RANGE[0] <= us < MOMENT_RANGE[1]:
                raise DatetimeOverflow("timestamp out of range")
            us += EPOCH_US
        return _printed(pa.array([us], pa.int64()).cast(arrow))

    return decode


def _time(data: bytes) -> str:
    (us,) = _exactly(">q", data)
    if not 0 <= us <= _DAY_US:
        raise DatetimeOverflow("time out of range")
    return _printed(pa.array([us], pa.int64()).cast(pa.time64("us"))) if us < _DAY_US else "24:00:00"


def _interval(data: bytes) -> str:
    us, days, months = _exactly(">qii", data)
    return _printed(pa.array([(months, days, us * 1000)], pa.month_day_nano_interval()))


def _printed(array: pa.Array) -> str:
    text: bytes = text_encoder(array.type)(array)[0].as_py()
    return text.decode()


def _numeric(data: bytes) -> str:
    if len(data) < 8:
        raise ProtocolViolation("insufficient data left in message")
    count, weight, sign, scale = struct.unpack_from(">HhHH", data)
    if sign in (0xC000, 0xD000, 0xF000):
        return {0xC000: "NaN", 0xD000: "Infinity", 0xF000: "-Infinity"}[sign]
    if sign not in (0, 0x4000):
        raise InvalidBinaryRepresentation('invalid sign in external "numeric" value')
    if scale & ~0x3FFF:
        raise InvalidBinaryRepresentation('invalid scale in external "numeric" value')
    digits = _exactly(f">{count}H", data[8:])
    if any(digit > 9999 for digit in digits):
        raise InvalidBinaryRepresentation('invalid digit in external "numeric" value')
    with localcontext(prec=4 * count + abs(4 * weight) + scale + 8):
        total = sum((Decimal(digit).scaleb(4 * (weight - i)) for i, digit in enumerate(digits)), Decimal(0))
        return f"{'-' if sign and total else ''}{total:.{scale}f}"


def _uuid(data: bytes) -> str:
    return str(UUID(bytes=_exactly(">16s", data)[0]))


def _json(data: bytes) -> str:
    text = utf8_text(data)
    try:
        json.loads(text)
    except ValueError:
        raise InvalidTextRepresentation("invalid input syntax for type json") from None
    return text


def _jsonb(data: bytes) -> str:
    if not data:
        raise ProtocolViolation("insufficient data left in message")
    if data[0] != 1:
        raise InternalError(f"unsupported jsonb version number {data[0]}")
    return _json(data[1:])


# -- arrays -------------------------------------------------------------------------------------------------------


def _array(data: bytes, element: types.SqlType) -> str:
    """Dimensions, each with its lower bound, then the elements: as ``array_out`` prints them."""
    if len(data) < 12:
        raise ProtocolViolation("insufficient data left in message")
    dimensions, flags, oid = struct.unpack_from(">iiI", data)
    if not 0 <= dimensions <= _MOST_DIMENSIONS:
        if dimensions < 0:
            raise InvalidBinaryRepresentation(f"invalid number of dimensions: {dimensions}")
        raise ProgramLimitExceeded(
            f"number of array dimensions ({dimensions}) exceeds the maximum allowed ({_MOST_DIMENSIONS})"
        )
    if flags not in (0, 1):
        raise InvalidBinaryRepresentation("invalid array flags")
    if oid != element.oid:
        found = types.by_oid(oid)
        raise DatatypeMismatch(
            f"binary data has array element type {oid} ({'-' if found is None else found.name})"
            f" instead of expected {element.oid} ({element.name})"
        )
    if len(data) < 12 + 8 * dimensions:
        raise ProtocolViolation("insufficient data left in message")
    shape = [struct.unpack_from(">ii", data, 12 + 8 * place) for place in range(dimensions)]
    count = 1 if shape else 0
    for size, _ in shape:
        if size < 0:
            raise ProgramLimitExceeded("array size exceeds the maximum allowed (134217727)")
        count *= size
    elements = _elements(data, 12 + 8 * dimensions, count, _READERS[element.oid])
    bounds = "".join(f"[{low}:{low + size - 1}]" for size, low in shape) + "="
    shown = _nested(elements, [size for size, _ in shape]) if count else "{}"
    return shown if not count or all(low == 1 for _, low in shape) else bounds + shown


def _elements(data: bytes, at: int, count: int, reader: Reader) -> list[str]:
    found = []
    for _ in range(count):
        if at + 4 > len(data):
            raise ProtocolViolation("insufficient data left in message")
        (size,) = struct.unpack_from(">i", data, at)
        at += 4
        if size < -1 or (size > 0 and at + size > len(data)):
            raise InvalidBinaryRepresentation("insufficient data left in message")
        if size < 0:
            found.append("NULL")
            continue
        found.append(_quoted(reader(data[at : at + size])))
        at += size
    if at < len(data):
        raise SurplusBytesError
    return found


def _quoted(text: str) -> str:
    if _PLAIN_ELEMENT.match(text) and text.upper() != "NULL":
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _nested(elements: list[str], sizes: list[int]) -> str:
    for size in reversed(sizes[1:]):
        elements = ["{" + ",".join(elements[at : at + size]) + "}" for at in range(0, len(elements), size)]
    return "{" + ",".join(elements) + "}"


_READERS: dict[int, Reader] = {
    0: utf8_text,
    705: utf8_text,  # unknown
    types.TEXT.oid: utf8_text,
    types.VARCHAR.oid: utf8_text,
    types.BPCHAR.oid: utf8_text,
    types.NAME.oid: utf8_text,
    types.CHAR.oid: utf8_text,
    types.BOOLEAN.oid: _boolean,
    types.BYTEA.oid: lambda data: "\\x" + data.hex(),
    types.BIGINT.oid: _integer(">q"),
    types.SMALLINT.oid: _integer(">h"),
    types.INTEGER.oid: _integer(">i"),
    types.REAL.oid: lambda data: single_text(np.float32(_exactly(">f", data)[0])),
    types.DOUBLE.oid: lambda data: double_text(_exactly(">d", data)[0]),
    types.DATE.oid: _date,
    types.TIME.oid: _time,
    types.TIMESTAMP.oid: _moment(pa.timestamp("us")),
    types.TIMESTAMPTZ.oid: _moment(pa.timestamp("us", "UTC")),
    types.INTERVAL.oid: _interval,
    types.UUID.oid: _uuid,
    types.JSON.oid: _json,
    types.JSONB.oid: _jsonb,
    1700: _numeric,
} | {kind.oid: _integer(">I") for kind in (types.OID, types.XID, types.REGPROC, types.REGCLASS, types.REGTYPE)}
