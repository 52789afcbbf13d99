"""SQL types: one closed list, each with its Arrow type, Postgres oid and name.

A column's type is a ``SqlType`` everywhere above the data plane; inside it,
the Arrow type alone travels. ``of_arrow`` is the way back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pyarrow as pa

from constellationdb.errors import FeatureNotSupported, InvalidParameter, UndefinedObject

# An unconstrained numeric; Arrow decimals have one scale a column.
NUMERIC_PRECISION, NUMERIC_SCALE = 38, 10


@dataclass(frozen=True)
class SqlType:
    """``name`` is what format_type() prints; ``typlen`` is -1 for variable width.

    Values of types that are made of others are carried as text: of rows (``fields``) as Postgres prints them, of
    enums (``labels``, in their order) as the label, of maps (``pair``: of keys and values) as a JSON object.
    """

    name: str
    oid: int
    typlen: int
    arrow: pa.DataType
    typmod: int = -1
    element: SqlType | None = None  # of an array
    fields: tuple[tuple[str, SqlType], ...] = ()
    labels: tuple[str, ...] = ()
    pair: tuple[SqlType, SqlType] | None = None

    @property
    def is_made(self) -> bool:
        """Whether it is made of other types, or for a user: no oid alone says all of it."""
        return bool(self.fields or self.labels or self.pair) or (self.element is not None and self.element.is_made)


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
# Carried as text, or as a number, and told apart by the field's metadata: see ``field_of``.
UUID = SqlType("uuid", 2950, 16, pa.string())
JSON = SqlType("json", 114, -1, pa.string())
JSONB = SqlType("jsonb", 3802, -1, pa.string())
BPCHAR = SqlType("character", 1042, -1, pa.string())
NAME = SqlType("name", 19, 64, pa.string())
CHAR = SqlType('"char"', 18, 1, pa.string())
OID = SqlType("oid", 26, 4, pa.int64())
XID = SqlType("xid", 28, 4, pa.int64())
REGPROC = SqlType("regproc", 24, 4, pa.int64())
REGCLASS = SqlType("regclass", 2205, 4, pa.int64())
REGTYPE = SqlType("regtype", 2206, 4, pa.int64())
REGROLE = SqlType("regrole", 4096, 4, pa.int64())
REGNAMESPACE = SqlType("regnamespace", 4089, 4, pa.int64())
REGPROCEDURE = SqlType("regprocedure", 2202, 4, pa.int64())
REGOPERATOR = SqlType("regoperator", 2204, 4, pa.int64())
# Oids that print as the names of what has them.
_REGISTERED = (REGPROC, REGCLASS, REGTYPE, REGROLE, REGNAMESPACE, REGPROCEDURE, REGOPERATOR)
REGISTERED = frozenset(kind.oid for kind in _REGISTERED)
VOID = SqlType("void", 2278, 4, pa.string())


def numeric(precision: int = NUMERIC_PRECISION, scale: int = NUMERIC_SCALE) -> SqlType:
    typmod = -1 if (precision, scale) == (NUMERIC_PRECISION, NUMERIC_SCALE) else ((precision << 16) | scale) + 4
    name = "numeric" if typmod == -1 else f"numeric({precision},{scale})"
    return SqlType(name, 1700, -1, pa.decimal128(precision, scale), typmod)


def varchar(length: int, position: int | None = None) -> SqlType:
    if length < 1:
        raise InvalidParameter("length for type varchar must be at least 1", position=position)
    return SqlType(f"{VARCHAR.name}({length})", VARCHAR.oid, -1, VARCHAR.arrow, length + 4)


# Element oid → oid of its array type. int2vector and oidvector are arrays that print without braces.
_ARRAY_OIDS = {
    16: 1000, 17: 1001, 18: 1002, 19: 1003, 20: 1016, 21: 1005, 23: 1007, 24: 1008, 25: 1009, 26: 1028, 28: 1011,
    114: 199, 700: 1021, 701: 1022, 1042: 1014, 1043: 1015, 1082: 1182, 1083: 1183, 1114: 1115, 1184: 1185,
    1186: 1187, 1700: 1231, 2202: 2207, 2204: 2209, 2205: 2210, 2206: 2211, 2950: 2951, 3802: 3807, 4089: 4090,
    4096: 4097,
}  # fmt: skip
INT2VECTOR = SqlType("int2vector", 22, -1, pa.list_(pa.int16()), element=SMALLINT)
OIDVECTOR = SqlType("oidvector", 30, -1, pa.list_(pa.int64()), element=OID)


RECORD_OID, _RECORD_ARRAY_OID = 2249, 2287
OIDS_OF_A_TYPE = 1 << 28  # the array of a user's type has its oid plus two of these


def parts_of(sql_type: SqlType) -> Iterator[SqlType]:
    """The type, and all that it is made of."""
    yield sql_type
    inner = [kind for _, kind in sql_type.fields] + ([] if sql_type.element is None else [sql_type.element])
    for part in (*inner, *(sql_type.pair or ())):
        yield from parts_of(part)


def record(fields: tuple[tuple[str, SqlType], ...]) -> SqlType:
    """A row that no type was declared for."""
    return SqlType("record", RECORD_OID, -1, pa.string(), fields=fields)


_BARE = re.compile(r"[a-z_][a-z0-9_$]*")


def quoted(name: str) -> str:
    """A type's name as it is printed."""
    return name if _BARE.fullmatch(name) else '"' + name.replace('"', '""') + '"'


def composite(name: str, oid: int, fields: tuple[tuple[str, SqlType], ...]) -> SqlType:
    return SqlType(name, oid, -1, pa.string(), fields=fields)


def enum(name: str, oid: int, labels: tuple[str, ...]) -> SqlType:
    return SqlType(name, oid, 4, pa.string(), labels=labels)


def map_of(key: SqlType, value: SqlType) -> SqlType:
    """A client is told that it is jsonb, of which it has the text."""
    return SqlType(f"map({key.name}, {value.name})", JSONB.oid, -1, pa.string(), pair=(key, value))


UNRESOLVED = 0  # the oid of a type that only the catalog knows, as yet nothing but a name


def unresolved(name: str) -> SqlType:
    return SqlType(name, UNRESOLVED, -1, pa.null())


@lru_cache(maxsize=256)
def array_of(element: SqlType) -> SqlType:
    """The array type of ``element``; an array of arrays is the same type."""
    if element.element is not None:
        return element
    oid = UNRESOLVED if element.oid == UNRESOLVED else _ARRAY_OIDS.get(element.oid)
    if element.fields or element.labels:
        oid = _RECORD_ARRAY_OID if element.oid == RECORD_OID else element.oid + 2 * OIDS_OF_A_TYPE
    if oid is None:
        raise UndefinedObject(f"could not find array type for data type {element.name}")
    return SqlType(f"{element.name}[]", oid, -1, pa.list_(element.arrow), element.typmod, element)


_ALIASES: dict[str, SqlType] = {
    "bool": BOOLEAN, "boolean": BOOLEAN,
    "bytea": BYTEA, "bytes": BYTEA,
    "int8": BIGINT, "bigint": BIGINT, "bigserial": BIGINT,
    "int2": SMALLINT, "smallint": SMALLINT,
    "int4": INTEGER, "int": INTEGER, "integer": INTEGER, "serial": INTEGER,
    "text": TEXT, "string": TEXT, "bpchar": TEXT, "character": TEXT,
    "uuid": UUID, "json": JSON, "jsonb": JSONB, "name": NAME, "char": CHAR, '"char"': CHAR,
    "oid": OID, "xid": XID, "regproc": REGPROC, "regclass": REGCLASS, "regtype": REGTYPE, "regrole": REGROLE,
    "regnamespace": REGNAMESPACE, "regprocedure": REGPROCEDURE, "regoperator": REGOPERATOR,
    "varchar": VARCHAR, "character varying": VARCHAR,
    "float4": REAL, "real": REAL,
    "float8": DOUBLE, "double precision": DOUBLE, "double": DOUBLE, "float": DOUBLE,
    "date": DATE,
    "time": TIME, "time without time zone": TIME,
    "timestamp": TIMESTAMP, "timestamp without time zone": TIMESTAMP,
    "timestamptz": TIMESTAMPTZ, "timestamp with time zone": TIMESTAMPTZ,
    "interval": INTERVAL,
}  # fmt: skip

_UNSPELLED = (BPCHAR, VOID, INT2VECTOR, OIDVECTOR)  # types that have no declared spelling above
_SCALARS = {t.oid: t for t in [*_ALIASES.values(), *_UNSPELLED]} | {1700: numeric()}
_BY_OID = _SCALARS | {array_of(t).oid: array_of(t) for t in _SCALARS.values() if t.oid in _ARRAY_OIDS}
_BY_NAME = {t.name: t for t in _BY_OID.values()}


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
    if lowered.startswith((MAP_MARK, "map(")):
        return _map_named(lowered, position)
    found = _ALIASES.get(lowered)
    if found is VARCHAR and modifiers:
        return varchar(modifiers[0], position)
    if found is None:
        raise UndefinedObject(f'type "{name}" does not exist', position=position)
    return found


MAP_MARK = "~"  # what the name of a map type begins with, where Postgres' grammar has read it


def _map_named(name: str, position: int | None) -> SqlType:
    """``map(text, numeric(10,2))``, or with a mark in the place of the word and its brackets."""
    inside = name.removeprefix(MAP_MARK) if name.startswith(MAP_MARK) else name[len("map(") : -1]
    key, _, value = inside.partition(",")
    if not value:
        raise UndefinedObject(f'type "map({inside})" does not exist', position=position)
    return map_of(_spelled(key, position), _spelled(value, position))


def _spelled(text: str, position: int | None) -> SqlType:
    text = text.strip()
    if text.endswith("[]"):
        return array_of(_spelled(text[:-2], position))
    if text.startswith("map("):
        return _map_named(text, position)
    name, _, modifiers = text.rstrip(")").partition("(")
    return parse_type(name, tuple(int(number) for number in modifiers.split(",") if number.strip()), position)


def named(name: str) -> SqlType | None:
    """The type that ``format_type`` prints as ``name``, without modifiers."""
    return _BY_NAME.get(name)


def by_oid(oid: int) -> SqlType | None:
    return _BY_OID.get(oid)


@lru_cache(maxsize=256)
def of_arrow(arrow: pa.DataType) -> SqlType:
    """The SQL type that shows ``arrow`` to a client."""
    if pa.types.is_decimal(arrow):
        return numeric(arrow.precision, arrow.scale)
    if pa.types.is_timestamp(arrow):
        return TIMESTAMP if arrow.tz is None else TIMESTAMPTZ
    if pa.types.is_list(arrow):
        return array_of(of_arrow(arrow.value_type))
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


_SQL_TYPE = b"constellation.sql_type"


def field_of(name: str, sql_type: SqlType, *, nullable: bool = True) -> pa.Field:
    """A field that ``of_field`` takes back to ``sql_type``, where its Arrow type alone would not."""
    metadata = None if of_arrow(sql_type.arrow) == sql_type else {_SQL_TYPE: _field_description(sql_type)}
    return pa.field(name, sql_type.arrow, nullable, metadata)


def of_field(field: pa.Field) -> SqlType:
    """The SQL type of a column: the one its field was made for, else the one that shows its Arrow type."""
    described = (field.metadata or {}).get(_SQL_TYPE)
    known = None if described is None else of_description(described.decode())
    return of_arrow(field.type) if known is None or known.arrow != field.type else known


def _field_description(sql_type: SqlType) -> bytes:
    return (describe(sql_type) if sql_type.is_made else str(sql_type.oid)).encode()


def describe(sql_type: SqlType) -> str:
    """All that there is to say of a type, whether or not the catalog knows it."""
    return json.dumps(_described(sql_type), separators=(",", ":"))


def _described(kind: SqlType) -> Any:
    if not kind.is_made:
        return kind.oid if kind.typmod < 0 else [kind.oid, kind.typmod]
    if kind.element is not None:
        return {"element": _described(kind.element)}
    if kind.pair is not None:
        return {"map": [_described(part) for part in kind.pair]}
    if kind.labels:
        return {"name": kind.name, "oid": kind.oid, "labels": kind.labels}
    return {"name": kind.name, "oid": kind.oid, "fields": [[name, _described(inner)] for name, inner in kind.fields]}


@lru_cache(maxsize=1024)
def of_description(text: str) -> SqlType:
    """The type that ``describe`` said."""
    return _of_described(json.loads(text))


def _of_described(said: Any) -> SqlType:
    match said:
        case int():
            return _BY_OID[said]
        case [1700, int() as typmod]:
            return numeric((typmod - 4) >> 16, (typmod - 4) & 0xFFFF)
        case [1231, int() as typmod]:
            return array_of(numeric((typmod - 4) >> 16, (typmod - 4) & 0xFFFF))
        case [int() as oid, int() as typmod]:
            return varchar(typmod - 4) if oid == VARCHAR.oid else array_of(varchar(typmod - 4))
        case {"element": element}:
            return array_of(_of_described(element))
        case {"map": [key, value]}:
            return map_of(_of_described(key), _of_described(value))
        case {"labels": labels}:
            return enum(said["name"], said["oid"], tuple(labels))
        case _:
            fields = tuple((name, _of_described(inner)) for name, inner in said["fields"])
            return composite(said["name"], said["oid"], fields)


def storage_type(arrow: pa.DataType) -> pa.DataType:
    """The canonical Arrow type for a column of ours: what a query's own output types are cast to."""
    return of_arrow(arrow).arrow
