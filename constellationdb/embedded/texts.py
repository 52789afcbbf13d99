"""From what the wire carries to Arrow: a column of texts as Postgres prints them, read by its type's oid."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc
from psycopg.pq.abc import PGresult

from constellationdb.catalog.types import (
    BYTEA,
    INTERVAL,
    NUMERIC_PRECISION,
    REGISTERED,
    TEXT,
    TIMESTAMPTZ,
    SqlType,
    array_of,
    by_oid,
    field_of,
    numeric,
)
from constellationdb.connectors.values import from_text
from constellationdb.embedded.array_texts import read_array
from constellationdb.errors import InvalidTextRepresentation

_NUMERIC_OID = 1700
_PART = re.compile(r"(-?\d+) (year|mon|day)s?")
_CLOCK = re.compile(r"(-?)(\d+):(\d\d):(\d\d)(?:\.(\d{1,6}))?")
_ODD_OFFSET = r"(?P<sign>[+-])(?P<rest>\d\d:\d\d):(?P<seconds>\d\d)$"
_ESCAPED = re.compile(rb"\\(?:\\|([0-7]{3}))")
_MONTHS = {"year": 12, "mon": 1}

Texts = Sequence[bytes | str | None]


@dataclass(frozen=True)
class Columns:
    """The names and types of a result."""

    kinds: tuple[tuple[str, SqlType], ...]

    @cached_property
    def schema(self) -> pa.Schema:
        return pa.schema([field_of(name, kind) for name, kind in self.kinds])

    def batch(self, columns: Sequence[Texts], rows: int) -> pa.RecordBatch:
        if not self.kinds:
            return pa.RecordBatch.from_struct_array(pa.array([{}] * rows, pa.struct([])))
        arrays = [column_of(column, kind) for column, (_, kind) in zip(columns, self.kinds, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def kinds_of(result: PGresult) -> Columns:
    return Columns(
        tuple(
            ((result.fname(column) or b"").decode(), type_of(result.ftype(column), result.fmod(column)))
            for column in range(result.nfields)
        )
    )


def type_of(oid: int, modifier: int) -> SqlType:
    """A type that we do not know travels as its text."""
    if oid == _NUMERIC_OID and modifier >= 4:
        return numeric((modifier - 4) >> 16, (modifier - 4) & 0xFFFF)
    if oid in REGISTERED:
        return TEXT
    known = by_oid(oid) or TEXT
    return array_of(TEXT) if known.element is not None and known.element.oid in REGISTERED else known


def fitting(columns: Columns, rows: Sequence[PGresult]) -> Columns:
    """A numeric column with as many digits behind the point as its first rows have, where they are more."""
    kinds = list(columns.kinds)
    for place, (name, kind) in enumerate(kinds):
        if kind.oid == _NUMERIC_OID:
            scale = max(map(_fraction, _values(rows, place)), default=0)
            if scale > kind.arrow.scale:
                kinds[place] = (name, numeric(NUMERIC_PRECISION, scale))
    return replace(columns, kinds=tuple(kinds))


def batch_of(columns: Columns, rows: Sequence[PGresult]) -> pa.RecordBatch:
    """The rows of results that have the same columns."""
    found = [_values(rows, place) for place in range(len(columns.kinds))]
    return columns.batch(found, sum(result.ntuples for result in rows))


def _values(rows: Sequence[PGresult], column: int) -> list[bytes | None]:
    return [result.get_value(row, column) for result in rows for row in range(result.ntuples)]


def column_of(values: Texts, kind: SqlType) -> pa.Array:
    texts = pa.array(values, pa.binary() if any(isinstance(value, bytes) for value in values) else pa.string())
    texts = texts.cast(pa.string())
    try:
        if kind.oid == INTERVAL.oid:
            spans = [None if value is None else _interval(value) for value in texts.to_pylist()]
            return pa.array(spans, INTERVAL.arrow)
        if kind.element is not None:
            return read_array(texts, kind, column_of)
        if kind.oid == BYTEA.oid:
            return pa.array([None if value is None else _bytes(value) for value in texts.to_pylist()], BYTEA.arrow)
        return _moments(texts) if kind.oid == TIMESTAMPTZ.oid else from_text(texts, kind.arrow)
    except pa.ArrowInvalid as error:
        raise InvalidTextRepresentation(f"a value of type {kind.name} cannot be read: {error}") from None


def _bytes(text: str) -> bytes:
    """As ``bytea_output`` says: ``\\x00ff``, or ``\\000\\377``, in which a backslash is two."""
    if text.startswith("\\x"):
        return bytes.fromhex(text[2:])
    return _ESCAPED.sub(lambda found: b"\\" if found[1] is None else bytes([int(found[1], 8)]), text.encode())


def _moments(texts: pa.Array) -> pa.Array:
    """Before there were zones, clocks were off by odd seconds: ``1890-01-01 00:19:32+00:19:32``."""
    is_odd = pc.match_substring_regex(texts, _ODD_OFFSET)
    if not pc.any(is_odd).as_py():
        return from_text(texts, TIMESTAMPTZ.arrow)
    parts = pc.extract_regex(texts, _ODD_OFFSET)
    sign = pc.replace_substring(pc.struct_field(parts, "sign"), "+", "")
    seconds = pc.if_else(is_odd, pc.binary_join_element_wise(sign, pc.struct_field(parts, "seconds"), ""), "0")
    span = pc.cast(seconds, pa.int64()).cast(pa.duration("s")).cast(pa.duration("us"))
    whole = pc.replace_substring_regex(texts, _ODD_OFFSET, r"\1\2")
    return pc.subtract(from_text(whole, TIMESTAMPTZ.arrow), span)


def _fraction(text: bytes | None) -> int:
    return 0 if text is None else len(text.partition(b".")[2])


def _interval(text: str) -> tuple[int, int, int]:
    """``1 year 2 mons 3 days -04:05:06.7`` as (months, days, nanoseconds)."""
    months = days = nanoseconds = 0
    for amount, unit in _PART.findall(text):
        if unit == "day":
            days += int(amount)
        else:
            months += int(amount) * _MONTHS[unit]
    if clock := _CLOCK.search(text):
        sign, hours, minutes, seconds, fraction = clock.groups()
        micros = (int(hours) * 3600 + int(minutes) * 60 + int(seconds)) * 1_000_000 + int(
            (fraction or "0").ljust(6, "0")
        )
        nanoseconds = (-micros if sign else micros) * 1_000
    return months, days, nanoseconds
