"""Types by the names Postgres prints in messages; None is a type this package does not know."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
from pglast import ast

from constellationdb.catalog import types
from constellationdb.catalog.types import parse_type
from constellationdb.planner.analysis.made_kinds import Made, pair_of

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

UUID, JSON, JSONB = "uuid", "json", "jsonb"
NAME, CHAR, BPCHAR = "name", '"char"', "character"
TEXTS = (TEXT, NAME, CHAR, BPCHAR)  # each casts implicitly to text
# Oids that print as names.
REGS = ("regproc", "regclass", "regtype", "regrole", "regnamespace", "regprocedure", "regoperator")
OIDS = ("oid", "xid", *REGS)
VECTORS = {"int2vector": SMALLINT, "oidvector": "oid"}

_INTERNAL = {
    SMALLINT: "int2", INTEGER: "int4", BIGINT: "int8", REAL: "float4", DOUBLE: "float8", BOOLEAN: "bool",
    TIMESTAMP: "timestamp", TIMESTAMPTZ: "timestamptz", TIME: "time",
}  # fmt: skip


def of_field(field: pa.Field) -> Kind:
    """The type of a relation's column."""
    found = types.of_field(field)
    plain = found.element is not None or pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
    return of_sql_type(found) if plain or found != types.TEXT else None


def of_sql_type(found: types.SqlType) -> str:
    if found.is_made:
        return Made(found)
    if found.element is not None and found.name not in VECTORS:
        return of_sql_type(found.element) + "[]"
    return TEXT if found.oid == types.VARCHAR.oid else found.name.split("(")[0]


def sql_type(kind: Kind) -> types.SqlType | None:
    """The type a result's column has; None where the kind is not known."""
    return kind.sql_type if isinstance(kind, Made) else None if kind is None else types.named(kind)


def is_array(kind: Kind) -> bool:
    return kind is not None and (kind.endswith("[]") or kind in VECTORS)


def element(array: str) -> str:
    if isinstance(array, Made) and array.sql_type.element is not None:
        return of_sql_type(array.sql_type.element)
    return VECTORS.get(array) or array.removesuffix("[]")


def array(kind: Kind) -> Kind:
    """The array of a kind; an array of arrays is of the same type."""
    if kind is None or is_array(kind):
        return kind
    if isinstance(kind, Made):
        return Made(types.array_of(kind.sql_type))
    return (TEXT if kind == UNKNOWN else kind) + "[]"


def is_whole(arrow: pa.DataType) -> bool:
    return bool(pa.types.is_decimal(arrow) and arrow.scale == 0)


def of_type_name(type_name: Any, position: int | None) -> Kind:
    """The type a cast names; UndefinedObject when there is none."""
    if len(type_name.names) > 2:
        return None
    name = type_name.names[-1].sval
    if (said := type_name.names[0].sval).startswith(SAID):
        found = of_sql_type(types.of_description(said.removeprefix(SAID)))
        return array(found) if type_name.arrayBounds else found
    if len(type_name.names) == 2 and type_name.names[0].sval != "pg_catalog":
        return None
    if name in VECTORS:
        return str(name)
    if type_name.arrayBounds:
        return array(of_sql_type(parse_type(_SPELLED.get(name, name), (), position)))
    if name in _PASSED:
        return None
    return of_sql_type(parse_type(_SPELLED.get(name, name), (), position))


# What the schema of a type begins with that says all of the type (``analysis.type_names``).
SAID = "\0type "
_SPELLED = {"timestamptz": "timestamptz", "timetz": "time"}
_PASSED = frozenset({"varchar", "bpchar"})


def type_name(kind: str) -> Any:
    """The type as a cast in the tree names it to DataFusion."""
    if is_array(kind):
        made = type_name(element(kind))
        made.arrayBounds = (ast.Integer(ival=-1),)
        return made
    if is_text(kind) or kind == DATE:
        name = DATE if kind == DATE else TEXT
        return ast.TypeName(names=(ast.String(sval=name),), typemod=-1)
    if kind in OIDS:
        kind = BIGINT
    made = ast.TypeName(names=(ast.String(sval="pg_catalog"), ast.String(sval=_INTERNAL.get(kind, kind))), typemod=-1)
    if kind in (DATE, BYTEA):
        made.names = made.names[-1:]
    if kind in (TIMESTAMP, TIMESTAMPTZ):
        made.typmods = (ast.A_Const(isnull=False, val=ast.Integer(ival=6)),)  # DataFusion's own are nanoseconds
    return made


def declared_name(sql_type: types.SqlType) -> Any:
    """The type as a user's cast names it, its length and digits with it."""
    if sql_type.is_made:
        said = (ast.String(sval=SAID + types.describe(sql_type)), ast.String(sval=sql_type.name))
        return ast.TypeName(names=said, typemod=-1)
    made = type_name(of_sql_type(sql_type))
    if sql_type.typmod >= 0 and sql_type.oid == types.VARCHAR.oid:
        made = ast.TypeName(names=(ast.String(sval="pg_catalog"), ast.String(sval="varchar")), typemod=-1)
        made.typmods = (ast.A_Const(isnull=False, val=ast.Integer(ival=sql_type.typmod - 4)),)
    elif sql_type.typmod >= 0 and sql_type.element is None:
        digits = (sql_type.arrow.precision, sql_type.arrow.scale)
        made.typmods = tuple(ast.A_Const(isnull=False, val=ast.Integer(ival=n)) for n in digits)
    elif sql_type.element is None and of_sql_type(sql_type) in (UUID, JSON, JSONB, NAME, CHAR, BPCHAR, *OIDS):
        made.names = (ast.String(sval="pg_catalog"), ast.String(sval=of_sql_type(sql_type).strip('"')))
    return made


_AS_TEXT = frozenset({*TEXTS, UUID, JSON, JSONB})  # what DataFusion carries as text


def is_text(kind: Kind) -> bool:
    """Whether a value of ``kind`` is a text to DataFusion."""
    return kind in _AS_TEXT or (isinstance(kind, Made) and kind.sql_type.element is None)


def cast(node: Any, kind: str) -> Any:
    return ast.TypeCast(arg=node, typeName=type_name(kind), location=getattr(node, "location", None))


def no_cast(found: Kind, wanted: str) -> bool:
    """Whether Postgres certainly has no cast from one type to the other."""
    if found in (None, UNKNOWN, *TEXTS) or found == wanted or wanted not in _CASTABLE:
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
    if len(set(known)) > 1 and all(map(pair_of, known)):
        return _unified_maps([pair for kind in known if (pair := pair_of(kind)) is not None])
    if len(set(known)) > 1 and all(map(is_array, known)):
        together = unify(element(str(kind)) for kind in known)
        return None if together in (None, UNKNOWN) else f"{together}[]"
    if all(kind in TEXTS for kind in known):  # the first that the others become without being asked
        return next((kind for kind in known if kind != CHAR), CHAR)
    if all(kind in OIDS or kind in INTEGERS for kind in known):
        return known[0] if len(set(known)) == 1 else "oid"
    return known[0] if len(set(known)) == 1 else None


def _unified_maps(pairs: list[tuple[types.SqlType, types.SqlType]]) -> Kind:
    """The map that maps of related types become together."""
    parts = [sql_type(unify(of_sql_type(pair[place]) for pair in pairs)) for place in (0, 1)]
    return None if parts[0] is None or parts[1] is None else Made(types.map_of(parts[0], parts[1]))


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
    if kind in NUMBERS or kind in OIDS:
        return "number"
    if kind in TEXTS:
        return TEXT
    if is_array(kind):
        return family(element(kind)) + "[]"
    if (pair := pair_of(kind)) is not None:
        return f"map of {' '.join(family(of_sql_type(part)) for part in pair)}"
    return "moment" if kind in MOMENTS else kind
