"""Schemas, and what information_schema says of the database itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from constellationdb.engine.pg_catalog import lookup
from constellationdb.engine.pg_catalog.cluster import DATABASE, OWNER_NAME
from constellationdb.engine.pg_catalog.objects import CONSTELLATION, OWNER, Objects

Row = dict[str, Any]


def pg_namespace() -> Iterator[Row]:
    """The one that Postgres does not have; the others ship."""
    yield {"oid": CONSTELLATION, "nspname": lookup.namespaces()[CONSTELLATION], "nspowner": OWNER}


def temporary_schemas(objects: Objects) -> Iterator[Row]:
    """Those of the sessions that have temporary tables."""
    for oid in sorted({relation.namespace for relation in objects.own if relation.is_temporary}):
        yield {"oid": oid, "nspname": lookup.schema_name(oid), "nspowner": OWNER}


def schemata() -> Iterator[Row]:
    for name in lookup.namespaces().values():
        owner = "pg_database_owner" if name == "public" else OWNER_NAME
        yield {"catalog_name": DATABASE, "schema_name": name, "schema_owner": owner}


def catalog_name() -> Iterator[Row]:
    yield {"catalog_name": DATABASE}


def character_sets() -> Iterator[Row]:
    yield {
        "character_set_name": "UTF8", "character_repertoire": "UCS", "form_of_use": "UTF8",
        "default_collate_catalog": DATABASE, "default_collate_schema": "pg_catalog", "default_collate_name": "C",
    }  # fmt: skip
