"""Schemas, and what information_schema says of the database itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from constellationdb.catalog.model import PUBLIC
from constellationdb.engine.pg_catalog import lookup
from constellationdb.engine.pg_catalog.cluster import DATABASE, OWNER_NAME
from constellationdb.engine.pg_catalog.objects import CONSTELLATION, OWNER, Objects

Row = dict[str, Any]

_DATABASE_OWNER = 6171  # the role pg_database_owner


def pg_namespace() -> Iterator[Row]:
    """The one of the system that Postgres does not have; the others of the system ship."""
    yield {"oid": CONSTELLATION, "nspname": lookup.namespaces()[CONSTELLATION], "nspowner": OWNER}


def schemas(objects: Objects) -> Iterator[Row]:
    """Those of users, and those of the sessions that have temporary tables."""
    for oid, name in objects.namespaces.items():
        if oid not in lookup.namespaces():
            owner = _DATABASE_OWNER if oid == PUBLIC else OWNER
            yield {"oid": oid, "nspname": name, "nspowner": owner}


def schemata(objects: Objects) -> Iterator[Row]:
    for oid, name in objects.namespaces.items():
        owner = "pg_database_owner" if oid == PUBLIC else OWNER_NAME
        yield {"catalog_name": DATABASE, "schema_name": name, "schema_owner": owner}


def catalog_name() -> Iterator[Row]:
    yield {"catalog_name": DATABASE}


def character_sets() -> Iterator[Row]:
    yield {
        "character_set_name": "UTF8", "character_repertoire": "UCS", "form_of_use": "UTF8",
        "default_collate_catalog": DATABASE, "default_collate_schema": "pg_catalog", "default_collate_name": "C",
    }  # fmt: skip
