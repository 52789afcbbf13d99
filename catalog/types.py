"""SQL types: one closed list, each with its Arrow type, Postgres oid and name.

A column's type is a ``SqlType`` everywhere above the data plane; inside it,
the Arrow type alone travels. ``of_arrow`` is the way back.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import pyarrow as pa

from constellationdb.errors import FeatureNotSupported, InvalidParameter, UndefinedObject

# An unconstrained numeric; Arrow decimals have one scale a column.
NUMERIC_PRECISION, NUMERIC_SCALE = 38, 10


@dataclass(frozen=True)
class SqlType:
    """``name`` is what format_type() prints; ``typlen`` is -1 for variable width."""

    name: str
    oid: int
    typlen: int
    arrow: pa.DataType
    typmod: int = -1


BOOLEAN = SqlType("boolean", 16, 1, pa.bool_())
BYTEA = SqlType("bytea", 17, -1, pa.binary())
BIGINT = SqlType("bigint", 20, 8, pa.int64())
SMALLINT = SqlType("smallint", 21, 2, pa.int16())
INTEGER = SqlType("integer", 23, 4, pa.int32())
TEXT = SqlType("text", 25, -1, pa.string())
REAL = SqlType("real", 700, 4, pa.float32())
DOUBLE = SqlType("double precision", 701, 8, pa.float64())
VARCHAR = SqlType("character varying", 1043, -1, pa.string())
DATE = SqlType("date", 1082, 4, pa.date32())
TIME = SqlType("time without time zone", 1083, 8, pa.time64("us"))
TIMESTAMP = SqlType("timestamp without time zone", 1114, 8, pa.timestamp("us"))
TIMESTAMPTZ = SqlType("timestamp with time zone", 1184, 8, pa.timestamp("us", "UTC"))
INTERVAL = SqlType("interval", 1186, 16, pa.month_day_nano_interval())


def numeric(precision: int = NUMERIC_PRECISION, scale: int = NUMERIC_SCALE) -> SqlType:
    typmod = -1 if (precision, scale) == (NUMERIC_PRECISION, NUMERIC_SCALE) else ((precision << 16) | scale) + 4
    name = "numeric" if typmod == -1 else f"numeric({precision},{scale})"
    return SqlType(name, 1700, -1, pa.decimal128(precision, scale), typmod)


def varchar(length: int, position: int | None = None) -> SqlType:
    if length < 1:
        raise InvalidParameter("length for type varchar must be at least 1", position=position)
    return SqlType(f"{VARCHAR.name}({length})", VARCHAR.oid, -1, VARCHAR.arrow, length + 4)


_ALIASES: dict[str, SqlType] = {
    "bool": BOOLEAN, "boolean": BOOLEAN,
    "bytea": BYTEA, "bytes": BYTEA,
    "int8": BIGINT, "bigint": BIGINT, "bigserial": BIGINT,
    "int2": SMALLINT, "smallint": SMALLINT,
    "int4": INTEGER, "int": INTEGER, "integer": INTEGER, "serial": INTEGER,
    "text": TEXT, "string": TEXT, "bpchar": TEXT, "char": TEXT, "character": TEXT,
    "uuid": TEXT, "json": TEXT, "jsonb": TEXT, "name": TEXT,
    "varchar": VARCHAR, "character varying": VARCHAR,
    "float4": REAL, "real": REAL,
    "float8": DOUBLE, "double precision": DOUBLE, "double": DOUBLE, "float": DOUBLE,
    "date": DATE,
    "time": TIME, "time without time zone": TIME,
    "timestamp": TIMESTAMP, "timestamp without time zone": TIMESTAMP,
    "timestamptz": TIMESTAMPTZ, "timestamp with time zone": TIMESTAMPTZ,
    "interval": INTERVAL,
}  # fmt: skip

# Accepted as text for now: each keeps its content, none has its own operators yet.
_BY_OID = {t.oid: t for t in _ALIASES.values()} | {1700: numeric()}


def parse_type(name: str, modifiers: tuple[int, ...] = (), position: int | None = None) -> SqlType:
    """The type called ``name`` in SQL, e.g. ``("numeric", (10, 2))``; 42704 when there is none."""
    lowered = " ".join(name.lower().split())
    if lowered in ("numeric", "decimal", "dec"):
        if not modifiers:
            return numeric()
        precision, scale = modifiers[0], modifiers[1] if len(modifiers) > 1 else 0
        if not 1 <= precision <= NUMERIC_PRECISION or not 0 <= scale <= precision:
            raise FeatureNotSupported(
                f"numeric({precision},{scale}) is outside 1 to {NUMERIC_PRECISION} digits",
                hint=f"declare at most numeric({NUMERIC_PRECISION},s)",
                position=position,
            )
        return numeric(precision, scale)
    found = _ALIASES.get(lowered)
    if found is VARCHAR and modifiers:
        return varchar(modifiers[0], position)
    if found is None:
        raise UndefinedObject(f'type "{name}" does not exist', position=position)
    return found


def by_oid(oid: int) -> SqlType | None:
    return _BY_OID.get(oid)


@lru_cache(maxsize=256)
def of_arrow(arrow: pa.DataType) -> SqlType:
    """The SQL type that shows ``arrow`` to a client."""
    if pa.types.is_decimal(arrow):
        return numeric(arrow.precision, arrow.scale)
    if pa.types.is_timestamp(arrow):
        return TIMESTAMP if arrow.tz is None else TIMESTAMPTZ
    for predicate, sql_type in _ARROW_KINDS:
        if predicate(arrow):
            return sql_type
    return TEXT


_ARROW_KINDS = (
    (pa.types.is_boolean, BOOLEAN),
    (pa.types.is_int64, BIGINT),
    (pa.types.is_int32, INTEGER),
    (pa.types.is_int16, SMALLINT),
    (pa.types.is_int8, SMALLINT),
    (pa.types.is_uint64, BIGINT),
    (pa.types.is_uint32, BIGINT),
    (pa.types.is_uint16, INTEGER),
    (pa.types.is_uint8, SMALLINT),
    (pa.types.is_float64, DOUBLE),
    (pa.types.is_float32, REAL),
    (pa.types.is_float16, REAL),
    (pa.types.is_date, DATE),
    (pa.types.is_time, TIME),
    (pa.types.is_interval, INTERVAL),
    (pa.types.is_duration, INTERVAL),
    (pa.types.is_binary, BYTEA),
    (pa.types.is_large_binary, BYTEA),
)


def storage_type(arrow: pa.DataType) -> pa.DataType:
    """The canonical Arrow type for a column of ours: what a query's own output types are cast to."""
    return of_arrow(arrow).arrow
