"""What reads from outside, as Postgres tells of it: sources and lookup tables are foreign tables, connectors servers.

Options are not shown: there may be passwords among them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

from constellationdb.engine.pg_catalog.cluster import DATABASE
from constellationdb.engine.pg_catalog.objects import CONSTELLATION, OWNER, Described, Objects

Row = dict[str, Any]

_WRAPPER = CONSTELLATION + 200
_WRAPPER_NAME = "constellation"
_SERVERS = 1 << 31  # oids of servers, which their names settle


def _server(relation: Described) -> str:
    assert relation.relation is not None
    return relation.relation.options.get("connector", "")


def _oid(server: str) -> int:
    return _SERVERS + (zlib.crc32(server.encode()) & 0x0FFFFFFF)


def _foreign(objects: Objects) -> Iterator[Described]:
    return (relation for relation in objects.own if relation.kind == "f")


def pg_foreign_data_wrapper(objects: Objects) -> Iterator[Row]:
    if any(_foreign(objects)):
        yield {"oid": _WRAPPER, "fdwname": _WRAPPER_NAME, "fdwowner": OWNER, "fdwhandler": 0, "fdwvalidator": 0}


def pg_foreign_server(objects: Objects) -> Iterator[Row]:
    for server in sorted({_server(relation) for relation in _foreign(objects)}):
        yield {"oid": _oid(server), "srvname": server, "srvowner": OWNER, "srvfdw": _WRAPPER}


def pg_foreign_table(objects: Objects) -> Iterator[Row]:
    for relation in _foreign(objects):
        yield {"ftrelid": relation.oid, "ftserver": _oid(_server(relation))}


def foreign_tables(objects: Objects) -> Iterator[Row]:
    for relation in _foreign(objects):
        yield {
            "foreign_table_catalog": DATABASE, "foreign_table_schema": relation.schema,
            "foreign_table_name": relation.name,
            "foreign_server_catalog": DATABASE, "foreign_server_name": _server(relation),
        }  # fmt: skip
