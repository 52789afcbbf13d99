"""Functions that give rows and take no arguments: read as relations, under their name with parentheses."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import pyarrow as pa

from constellationdb.catalog import types
from constellationdb.catalog.postgres.relations import system_relations
from constellationdb.catalog.types import field_of
from constellationdb.engine.system_tables import SYSTEM_TABLES

# What a view of pg_catalog shows, and nothing else.
_VIEWS = {
    "pg_available_extensions": "pg_available_extensions", "pg_available_extension_versions":
    "pg_available_extension_versions", "pg_cursor": "pg_cursors", "pg_lock_status": "pg_locks",
    "pg_prepared_statement": "pg_prepared_statements", "pg_prepared_xact": "pg_prepared_xacts",
    "pg_show_all_settings": "pg_settings", "pg_timezone_abbrevs": "pg_timezone_abbrevs",
    "pg_timezone_names": "pg_timezone_names",
}  # fmt: skip
KEYWORDS = "pg_catalog.pg_get_keywords()"
_KEYWORD_COLUMNS = pa.schema(
    [field_of("word", types.TEXT), field_of("catcode", types.CHAR), field_of("barelabel", types.BOOLEAN),
     field_of("catdesc", types.TEXT), field_of("baredesc", types.TEXT)]
)  # fmt: skip


@cache
def set_functions() -> Mapping[str, pa.Schema]:
    known = system_relations()
    shown = {f"pg_catalog.{name}()": known[f"pg_catalog.{view}"].arrow_schema for name, view in _VIEWS.items()}
    return shown | {KEYWORDS: _KEYWORD_COLUMNS}


def is_system(name: str) -> bool:
    """Whether a relation belongs to the system: it has no definition, and nobody writes it."""
    return name in SYSTEM_TABLES or name in system_relations() or name in set_functions()


def view_of(name: str) -> str:
    """The relation whose rows the function of this name gives."""
    short = name.removeprefix("pg_catalog.").removesuffix("()")
    return f"pg_catalog.{_VIEWS[short]}"
