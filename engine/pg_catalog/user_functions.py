"""pg_proc's rows of users' functions: as they ship for the system's own, and as values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from constellationdb.catalog import types
from constellationdb.catalog.catalog import Catalog
from constellationdb.catalog.model import PUBLIC, Function
from constellationdb.engine.pg_catalog.lookup import Texts, functions_by_oid
from constellationdb.engine.pg_catalog.objects import OWNER, Objects

Row = dict[str, Any]

PYTHON = 16382  # the oid of the language
_SQL, _RECORD = 14, 2249
_NULL = "\\N"
_KINDS = {"aggregate": "a"}


def pg_proc(objects: Objects) -> Iterator[Row]:
    for function in objects.catalog.functions.values():
        yield _row(function)


def pg_language() -> Iterator[Row]:
    yield {
        "oid": PYTHON, "lanname": "python", "lanowner": OWNER, "lanispl": True, "lanpltrusted": False,
        "lanplcallfoid": 0, "laninline": 0, "lanvalidator": 0,
    }  # fmt: skip


def find(catalog: Catalog, oid: int) -> Texts | None:
    """A row of pg_proc as texts, the system's or a user's."""
    function = catalog.functions.get(oid)
    return functions_by_oid().get(oid) if function is None else _texts(_row(function))


def oids_of(function: Function) -> list[int]:
    """Of the types of its parameters."""
    return [_oid(parameter.type_name) for parameter in function.parameters]


def _row(function: Function) -> Row:
    kinds = oids_of(function)
    columns = [_oid(column.type_name) for column in function.columns]
    names = [parameter.name for parameter in (*function.parameters, *function.columns)]
    defaults = [parameter.default for parameter in function.parameters if parameter.default is not None]
    return {
        "oid": function.oid, "proname": function.name, "pronamespace": PUBLIC, "proowner": OWNER,
        "prolang": _SQL if function.language == "sql" else PYTHON, "procost": 100.0,
        "prorows": 1000.0 if function.kind == "table" else 0.0, "provariadic": 0, "prosupport": 0,
        "prokind": _KINDS.get(function.kind, "f"), "prosecdef": False, "proleakproof": False,
        "proisstrict": function.strict, "proretset": function.kind == "table", "provolatile": function.volatility[0],
        "proparallel": "u", "pronargs": len(kinds), "pronargdefaults": len(defaults),
        "prorettype": _RECORD if len(columns) > 1 else _oid(function.returns) if not columns else columns[0],
        "proargtypes": kinds, "proallargtypes": [*kinds, *columns] if columns else None,
        "proargmodes": ["i"] * len(kinds) + ["t"] * len(columns) if columns else None,
        "proargnames": names if any(names) else None, "proargdefaults": ", ".join(defaults) if defaults else None,
        "prosrc": function.source or function.name,
    }  # fmt: skip


def _oid(type_name: str) -> int:
    found = types.named(type_name)
    return types.TEXT.oid if found is None else found.oid


def _texts(row: Row) -> Texts:
    """As Postgres prints the values."""
    return {name: _text(name, value) for name, value in row.items()}


def _text(name: str, value: Any) -> str:
    if value is None:
        return _NULL
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        if name == "proargtypes":
            return " ".join(map(str, value))
        return "{" + ",".join(f'"{item}"' for item in value) + "}"
    return str(value)
