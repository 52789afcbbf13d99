"""information_schema's routines and parameters: the functions of pg_proc once more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from constellationdb.catalog.postgres import rows
from constellationdb.catalog.text.array_literals import array_elements, vector_elements
from constellationdb.engine.pg_catalog import lookup
from constellationdb.engine.pg_catalog.cluster import DATABASE
from constellationdb.engine.pg_catalog.names import plain_type_name

Row = dict[str, Any]
_KINDS = {"f": "FUNCTION", "p": "PROCEDURE"}
_MODES = {"i": "IN", "o": "OUT", "b": "INOUT", "v": "IN", "t": "OUT"}
_SQL, _INTERNAL = "14", "12"


def routines() -> Iterator[Row]:
    for row in rows.texts("pg_proc"):
        found = lookup.types_by_oid()[int(row["prorettype"])]
        yield _specific(row) | {
            "routine_catalog": DATABASE, "routine_schema": "pg_catalog", "routine_name": row["proname"],
            "routine_type": _KINDS.get(row["prokind"]), "data_type": plain_type_name(found["typname"]),
            "type_udt_catalog": DATABASE, "type_udt_schema": "pg_catalog", "type_udt_name": found["typname"],
            "dtd_identifier": "0", "routine_body": "SQL" if row["prolang"] == _SQL else "EXTERNAL",
            "external_language": "SQL" if row["prolang"] == _SQL else "INTERNAL", "parameter_style": "GENERAL",
            "is_deterministic": "YES" if row["provolatile"] == "i" else "NO", "sql_data_access": "MODIFIES",
            "is_null_call": "YES" if rows.truth(row["proisstrict"]) else "NO", "schema_level_routine": "YES",
            "max_dynamic_result_sets": 0, "security_type": "INVOKER", "as_locator": "NO", "is_udt_dependent": "NO",
        }  # fmt: skip


def parameters() -> Iterator[Row]:
    for row in rows.texts("pg_proc"):
        for position, (name, mode, kind) in enumerate(arguments_of(row), 1):
            found = lookup.types_by_oid()[kind]
            yield _specific(row) | {
                "ordinal_position": position, "parameter_mode": _MODES[mode], "is_result": "NO", "as_locator": "NO",
                "parameter_name": name or None, "data_type": plain_type_name(found["typname"]),
                "udt_catalog": DATABASE, "udt_schema": "pg_catalog", "udt_name": found["typname"],
                "dtd_identifier": str(position),
            }  # fmt: skip


def _specific(row: lookup.Texts) -> Row:
    return {
        "specific_catalog": DATABASE,
        "specific_schema": "pg_catalog",
        "specific_name": f"{row['proname']}_{row['oid']}",
    }


def arguments_of(row: lookup.Texts) -> list[tuple[str, str, int]]:
    """(name, mode, type) of each argument of a function, those it returns as columns too."""
    whole = row["proallargtypes"] != "\\N"
    kinds = array_elements(row["proallargtypes"]) if whole else vector_elements(row["proargtypes"])
    modes = array_elements(row["proargmodes"]) if whole else ["i"] * len(kinds)
    names = array_elements(row["proargnames"]) if row["proargnames"] != "\\N" else [""] * len(kinds)
    return [(name or "", mode or "i", int(kind or 0)) for name, mode, kind in zip(names, modes, kinds, strict=True)]
