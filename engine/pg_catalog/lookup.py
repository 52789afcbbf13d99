"""Rows that ship, by oid: what readers and functions ask of types, roles and functions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from constellationdb.catalog.model import PUBLIC
from constellationdb.catalog.postgres import rows

Texts = Mapping[str, str]

_ARRAY_SUBSCRIPTS = "6179"  # array_subscript_handler()


@cache
def types_by_oid() -> Mapping[int, Texts]:
    return {int(row["oid"]): row for row in rows.texts("pg_type")}


@cache
def types_by_name() -> Mapping[tuple[int, str], Texts]:
    """By namespace and name."""
    return {(int(row["typnamespace"]), row["typname"]): row for row in rows.texts("pg_type")}


def type_of(oid: int, name: str = "") -> Texts:
    """A type's row; of a user's type, whose ``name`` pg_type has, what all such have in common."""
    found = types_by_oid().get(oid)
    if found is not None:
        return found
    is_list = name.startswith("_")
    return {
        "oid": str(oid), "typname": name, "typnamespace": str(PUBLIC), "typlen": "-1", "typbyval": "false",
        "typalign": "d", "typstorage": "x", "typcollation": "0", "typtype": "b" if is_list else "c",
        "typsubscript": _ARRAY_SUBSCRIPTS if is_list else "0",
    }  # fmt: skip


def is_array(kind: Texts) -> bool:
    """Whether a type is an array of another; vectors and names have elements, too, but are none."""
    return kind["typsubscript"] == _ARRAY_SUBSCRIPTS


@cache
def functions_by_oid() -> Mapping[int, Texts]:
    return {int(row["oid"]): row for row in rows.texts("pg_proc")}


@cache
def functions_by_name() -> Mapping[str, tuple[Texts, ...]]:
    found: dict[str, tuple[Texts, ...]] = {}
    for row in rows.texts("pg_proc"):
        found[row["proname"]] = (*found.get(row["proname"], ()), row)
    return found


@cache
def namespaces() -> Mapping[int, str]:
    """The system's schemas, by oid."""
    shipped = {int(row["oid"]): row["nspname"] for row in rows.texts("pg_namespace")}
    return {oid: name for oid, name in shipped.items() if oid != PUBLIC} | {16000: "constellation"}


@cache
def system_schemas() -> Mapping[str, int]:
    return {name: oid for oid, name in namespaces().items()}


@cache
def default_classes() -> Mapping[int, int]:
    """The btree operator class that indexes a type, by the type's oid."""
    return {
        int(row["opcintype"]): int(row["oid"])
        for row in rows.texts("pg_opclass")
        if row["opcmethod"] == "403" and rows.truth(row["opcdefault"])
    }


@cache
def oids(name: str) -> frozenset[int]:
    """The oids of a relation that ships; none of one that does not."""
    return frozenset(int(row["oid"]) for row in rows.texts(name)) if rows.exist(name) else frozenset()


@cache
def descriptions() -> Mapping[tuple[int, int, int], str]:
    """By object, the catalog it is in, and column."""
    return {
        (int(row["objoid"]), int(row["classoid"]), int(row["objsubid"])): row["description"]
        for row in rows.texts("pg_description")
    }


@cache
def shared_descriptions() -> Mapping[tuple[int, int], str]:
    return {(int(row["objoid"]), int(row["classoid"])): row["description"] for row in rows.texts("pg_shdescription")}
