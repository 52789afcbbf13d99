"""What information_schema says of a column's type: its names, lengths and precisions."""

from __future__ import annotations

from typing import Any

from constellationdb.catalog.types import BPCHAR, TEXT, VARCHAR
from constellationdb.engine.pg_catalog import lookup
from constellationdb.engine.pg_catalog.cluster import DATABASE
from constellationdb.engine.pg_catalog.names import plain_type_name
from constellationdb.engine.pg_catalog.objects import PG_CATALOG, Attribute

_BINARY_DIGITS = {"int2": 16, "int4": 32, "int8": 64, "float4": 24, "float8": 53}
_MOMENTS = frozenset({"time", "timetz", "timestamp", "timestamptz", "interval"})
_BYTES_A_CHARACTER, _LONGEST_TEXT = 4, 1 << 30
_DEFAULT_COLLATION, _C = 100, 950
_NUMERIC_HEADER = 4


def facts_of(attribute: Attribute) -> dict[str, Any]:
    kinds = lookup.types_by_oid()
    found = lookup.type_of(attribute.type_oid, attribute.type_name)
    typmod, domain = attribute.typmod, {}
    if found["typtype"] == "d":
        domain = {
            "domain_catalog": DATABASE,
            "domain_schema": lookup.namespaces()[int(found["typnamespace"])],
            "domain_name": found["typname"],
        }
        typmod, found = int(found["typtypmod"]), kinds[int(found["typbasetype"])]
    name = found["typname"]
    return domain | {
        "data_type": _data_type(found),
        "udt_catalog": DATABASE,
        "udt_schema": "public" if attribute.type_name else lookup.namespaces()[int(found["typnamespace"])],
        "udt_name": name,
        **_collated(int(found["typcollation"])),
        **_lengths(int(found["oid"]), typmod),
        **_numbers(name, typmod),
        **({"datetime_precision": 6 if typmod < 0 else typmod & 0xFFFF} if name in _MOMENTS else {}),
        **({"datetime_precision": 0} if name == "date" else {}),
    }


def _data_type(found: lookup.Texts) -> str:
    if lookup.is_array(found):
        return "ARRAY"
    return plain_type_name(found["typname"]) if int(found["typnamespace"]) == PG_CATALOG else "USER-DEFINED"


def _collated(collation: int) -> dict[str, Any]:
    if collation in (0, _DEFAULT_COLLATION):
        return {}
    return {
        "collation_catalog": DATABASE,
        "collation_schema": "pg_catalog",
        "collation_name": "C" if collation == _C else None,
    }


def _lengths(oid: int, typmod: int) -> dict[str, Any]:
    """Characters are counted with their longest encoding."""
    if oid in (VARCHAR.oid, BPCHAR.oid) and typmod >= 0:
        length = typmod - 4
        return {"character_maximum_length": length, "character_octet_length": length * _BYTES_A_CHARACTER}
    return {"character_octet_length": _LONGEST_TEXT} if oid in (TEXT.oid, VARCHAR.oid, BPCHAR.oid) else {}


def _numbers(name: str, typmod: int) -> dict[str, Any]:
    if name == "numeric":
        if typmod < 0:
            return {"numeric_precision_radix": 10}
        packed = typmod - _NUMERIC_HEADER
        return {
            "numeric_precision": packed >> 16,
            "numeric_precision_radix": 10,
            "numeric_scale": packed & 0x7FF,
        }
    if name not in _BINARY_DIGITS:
        return {}
    whole = {"numeric_scale": 0} if name.startswith("int") else {}
    return {"numeric_precision": _BINARY_DIGITS[name], "numeric_precision_radix": 2} | whole
