"""Types by the names Postgres prints in messages; None is a type this package does not know."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
from pglast import ast

from constellationdb.catalog.types import of_arrow, parse_type

Kind = str | None

UNKNOWN = "unknown"  # a string literal or NULL whose type the context decides
BOOLEAN, TEXT, INTERVAL, DATE = "boolean", "text", "interval", "date"
TIMESTAMP, TIMESTAMPTZ = "timestamp without time zone", "timestamp with time zone"
TIME, BYTEA = "time without time zone", "bytea"
SMALLINT, INTEGER, BIGINT, NUMERIC, REAL, DOUBLE = (
    "smallint", "integer", "bigint", "numeric", "real", "double precision",
)  # fmt: skip

INTEGERS = (SMALLINT, INTEGER, BIGINT)
NUMBERS = (SMALLINT, INTEGER, BIGINT, NUMERIC, REAL, DOUBLE)  # each casts implicitly to those after it
MOMENTS = (DATE, TIMESTAMP, TIMESTAMPTZ)

_INTERNAL = {
    SMALLINT: "int2", INTEGER: "int4", BIGINT: "int8", REAL: "float4", DOUBLE: "float8", BOOLEAN: "bool",
    TIMESTAMP: "timestamp", TIMESTAMPTZ: "timestamptz", TIME: "time",
}  # fmt: skip


def of_column(arrow: pa.DataType) -> Kind:
    kind = of_arrow(arrow).name.split("(")[0]
    if kind == TEXT and not (pa.types.is_string(arrow) or pa.types.is_large_string(arrow)):
        return None
    return kind


def is_whole(arrow: pa.DataType) -> bool:
    return bool(pa.types.is_decimal(arrow) and arrow.scale == 0)


def of_type_name(type_name: Any, position: int | None) -> Kind:
    """The type a cast names; UndefinedObject when there is none."""
    if type_name.arrayBounds or len(type_name.names) > 2:
        return None
    name = type_name.names[-1].sval
    if len(type_name.names) == 2 and type_name.names[0].sval != "pg_catalog":
        return None
    if name in _PASSED:
        return None
    kind = parse_type(_SPELLED.get(name, name), (), position).name.split("(")[0]
    return TEXT if kind == "character varying" else kind


_SPELLED = {"timestamptz": "timestamptz", "timetz": "time"}
_PASSED = frozenset({"regclass", "regtype", "oid", "regproc", "regnamespace", "varchar", "bpchar", "char"})


def type_name(kind: str) -> Any:
    """The type as a cast in the tree names it."""
    made = ast.TypeName(names=(ast.String(sval="pg_catalog"), ast.String(sval=_INTERNAL.get(kind, kind))), typemod=-1)
    if kind in (TIMESTAMP, TIMESTAMPTZ):
        made.typmods = (ast.A_Const(isnull=False, val=ast.Integer(ival=6)),)  # DataFusion's own are nanoseconds
    return made


def cast(node: Any, kind: str) -> Any:
    name = type_name(kind)
    if kind in (TEXT, DATE):
        name.names = name.names[-1:]
    return ast.TypeCast(arg=node, typeName=name, location=getattr(node, "location", None))


def no_cast(found: Kind, wanted: str) -> bool:
    """Whether Postgres certainly has no cast from one type to the other."""
    if found in (None, UNKNOWN, TEXT) or found == wanted or wanted not in _CASTABLE:
        return False
    if BOOLEAN in (found, wanted):
        return {found, wanted} - {BOOLEAN, TEXT, INTEGER} != set()
    spans = (*MOMENTS, TIME, INTERVAL)
    return wanted != TEXT and ((found in NUMBERS) != (wanted in NUMBERS)) and (found in spans or wanted in spans)


_CASTABLE = frozenset({*NUMBERS, *MOMENTS, TIME, INTERVAL, BOOLEAN})


def unify(kinds: Iterable[Kind]) -> Kind:
    """The type that values of these types become together; UNKNOWN when all are. Call ``clash`` first."""
    known = [kind for kind in kinds if kind != UNKNOWN]
    if not known:
        return UNKNOWN
    if any(kind is None for kind in known):
        return None
    for family in (NUMBERS, MOMENTS):
        if all(kind in family for kind in known):
            return max(known, key=family.index)
    return known[0] if len(set(known)) == 1 else None


def clash(kinds: Iterable[Kind]) -> tuple[str, str] | None:
    """The first two types that cannot become one."""
    first: str | None = None
    for kind in kinds:
        if kind is None or kind == UNKNOWN:
            continue
        if first is not None and family(first) != family(kind):
            return first, kind
        first = first or kind
    return None


def family(kind: str) -> str:
    if kind in NUMBERS:
        return "number"
    return "moment" if kind in MOMENTS else kind
