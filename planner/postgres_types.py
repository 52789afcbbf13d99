"""Types by Postgres' internal names (``int4``, ``timestamptz``, ``int4[]``): oids, categories, casts."""

from __future__ import annotations

from typing import TypeAlias

# None: not known here, which decides nothing.
Type: TypeAlias = "str | None"

UNKNOWN = "unknown"  # a literal, NULL or parameter whose type its context decides

_SCALARS = {
    "bool": 16, "bytea": 17, "char": 18, "name": 19, "int8": 20, "int2": 21, "int4": 23, "regproc": 24, "text": 25,
    "oid": 26, "xid": 28, "json": 114, "float4": 700, "float8": 701, "bpchar": 1042, "varchar": 1043, "date": 1082,
    "time": 1083, "timestamp": 1114, "timestamptz": 1184, "interval": 1186, "timetz": 1266, "numeric": 1700,
    "regclass": 2205, "regtype": 2206, "uuid": 2950, "jsonb": 3802, "regnamespace": 4089, "regrole": 4096,
    "regprocedure": 2202, "regoperator": 2204,
}  # fmt: skip
_ARRAYS = {
    "bool": 1000, "bytea": 1001, "char": 1002, "name": 1003, "int8": 1016, "int2": 1005, "int4": 1007, "regproc": 1008,
    "text": 1009, "oid": 1028, "xid": 1011, "json": 199, "float4": 1021, "float8": 1022, "bpchar": 1014,
    "varchar": 1015, "date": 1182, "time": 1183, "timestamp": 1115, "timestamptz": 1185, "interval": 1187,
    "timetz": 1270, "numeric": 1231, "regclass": 2210, "regtype": 2211, "uuid": 2951, "jsonb": 3807,
    "regnamespace": 4090, "regrole": 4097, "regprocedure": 2207, "regoperator": 2209,
}  # fmt: skip
_OIDS = _SCALARS | {f"{name}[]": oid for name, oid in _ARRAYS.items()} | {UNKNOWN: 705}
_NAMES = {oid: name for name, oid in _OIDS.items()}

_CATEGORIES = {
    "B": "bool",
    "N": "int2 int4 int8 float4 float8 numeric oid regproc regclass regtype regrole regnamespace"
    " regprocedure regoperator",
    "S": "name text bpchar varchar", "D": "date time timetz timestamp timestamptz", "T": "interval", "X": UNKNOWN,
    "P": "any anyarray anyelement anynonarray anycompatible anycompatiblearray anycompatiblenonarray record",
    "Z": "char",
}  # fmt: skip
_CATEGORY = {name: letter for letter, names in _CATEGORIES.items() for name in names.split()}
_PREFERRED = frozenset({"bool", "text", "oid", "float8", "timestamptz", "interval"})

# Of one number; each becomes oid, and oid each of them.
_ALIASES = "oid regclass regtype regproc regrole regnamespace regprocedure regoperator"
_IMPLICIT = {
    "bpchar": "name text varchar", "varchar": "bpchar name regclass text", "text": "bpchar name regclass varchar",
    "name": "text", "char": "text", "date": "timestamp timestamptz", "timestamp": "timestamptz",
    "time": "interval timetz", "float4": "float8", "numeric": "float4 float8", "oid": _ALIASES,
    "int2": f"int4 int8 float4 float8 numeric {_ALIASES}", "int4": f"int8 float4 float8 numeric {_ALIASES}",
    "int8": f"float4 float8 numeric {_ALIASES}",
} | dict.fromkeys(_ALIASES.split()[1:], "oid")  # fmt: skip
_ASSIGNED = {
    "float8": "int2 int4 int8 float4 numeric", "float4": "int2 int4 int8 numeric", "numeric": "int2 int4 int8",
    "int8": "int2 int4", "int4": "int2", "json": "jsonb", "jsonb": "json", "timestamp": "date time",
    "timestamptz": "date time timestamp timetz", "timetz": "time", "interval": "time", "name": "bpchar varchar",
    "text": "char", "varchar": "char", "bpchar": "char", "char": "bpchar varchar",
} | dict.fromkeys(_ALIASES.split(), "int4 int8")  # fmt: skip
_CASTS = [(source, target, False) for source, targets in _IMPLICIT.items() for target in targets.split()]
_CASTS += [(source, target, True) for source, targets in _ASSIGNED.items() for target in targets.split()]
_IMPLICIT_PAIRS = frozenset((source, target) for source, target, assigned in _CASTS if not assigned)
_PAIRS = frozenset((source, target) for source, target, _ in _CASTS)

_DISPLAYED = {
    "bool": "boolean", "int2": "smallint", "int4": "integer", "int8": "bigint", "float4": "real",
    "float8": "double precision", "bpchar": "character", "varchar": "character varying", "char": '"char"',
    "time": "time without time zone", "timetz": "time with time zone", "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
}  # fmt: skip


_OF_USERS = "type "  # what the names of users' types begin with here, before their oid
_FIRST_OF_USERS = 16384


def oid_of(name: str) -> int:
    return int(name.removeprefix(_OF_USERS)) if is_of_user(name) else _OIDS[name]


def by_oid(oid: int) -> Type:
    return _NAMES.get(oid) or (f"{_OF_USERS}{oid}" if oid >= _FIRST_OF_USERS else None)


def is_of_user(name: Type) -> bool:
    return name is not None and name.startswith(_OF_USERS)


def display(name: str) -> str:
    """As ``format_type`` prints it."""
    return f"{display(name[:-2])}[]" if is_array(name) else _DISPLAYED.get(name, name)


def is_known(name: str) -> bool:
    return name in _OIDS


def is_array(name: str) -> bool:
    return name.endswith("[]")


def array_of(element: Type) -> Type:
    """Arrays of arrays are of the same type; None where there is no such array type."""
    if element is None or is_array(element):
        return element
    return f"{element}[]" if element in _ARRAYS else None


def element_of(array: Type) -> Type:
    return array[:-2] if array is not None and is_array(array) else None


def category(name: str) -> str:
    return "A" if is_array(name) else _CATEGORY.get(name, "U")


def is_preferred(name: str) -> bool:
    return name in _PREFERRED


def casts(source: str, target: str, *, assignment: bool = False) -> bool:
    """Whether a value becomes ``target`` by itself: wherever it stands, or only where it is stored (assignment)."""
    if source in (target, UNKNOWN) or target == "any":
        return True
    if is_array(source) and is_array(target):
        return casts(source[:-2], target[:-2], assignment=assignment)
    if not assignment:
        return (source, target) in _IMPLICIT_PAIRS
    return (source, target) in _PAIRS or (category(target) == "S" and source != "record")
