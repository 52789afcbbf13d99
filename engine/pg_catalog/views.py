"""What Postgres computes from its own catalogs in views: pg_tables, pg_views, pg_indexes, pg_stat_user_tables, …"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from constellationdb.catalog.postgres import rows
from constellationdb.engine.pg_catalog import definitions
from constellationdb.engine.pg_catalog.classes import indexes
from constellationdb.engine.pg_catalog.cluster import OWNER_NAME
from constellationdb.engine.pg_catalog.objects import Described, Objects

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

Row = dict[str, Any]


def pg_tables(relations: Iterable[Described]) -> Iterator[Row]:
    known = list(relations)
    indexed = {index.of.oid for index in indexes(known)}
    for relation in known:
        if relation.kind == "r":
            yield {
                "schemaname": relation.schema, "tablename": relation.name, "tableowner": OWNER_NAME,
                "hasindexes": relation.oid in indexed, "hasrules": False, "hastriggers": False, "rowsecurity": False,
            }  # fmt: skip


def pg_views(relations: Iterable[Described]) -> Iterator[Row]:
    for relation in relations:
        if relation.kind == "v":
            yield {
                "schemaname": relation.schema, "viewname": relation.name, "viewowner": OWNER_NAME,
                "definition": definitions.view(relation),
            }  # fmt: skip


def pg_matviews(relations: Iterable[Described]) -> Iterator[Row]:
    for relation in relations:
        if relation.kind == "m":
            yield {
                "schemaname": relation.schema, "matviewname": relation.name, "matviewowner": OWNER_NAME,
                "hasindexes": False, "ispopulated": True, "definition": definitions.view(relation),
            }  # fmt: skip


def pg_indexes(relations: Iterable[Described]) -> Iterator[Row]:
    for index in indexes(relations):
        yield {
            "schemaname": index.of.schema, "tablename": index.of.name, "indexname": index.name,
            "indexdef": definitions.index(index),
        }  # fmt: skip


def pg_get_keywords() -> Iterator[Row]:
    for row in rows.texts("pg_get_keywords"):
        yield row | {"barelabel": rows.truth(row["barelabel"])}


def stat_tables(session: Session, objects: Objects) -> Iterator[Row]:
    """pg_stat_all_tables of what a user made: how many rows there are now."""
    for relation in objects.own:
        if relation.kind in ("r", "m") and relation.relation is not None:
            yield {
                "relid": relation.oid, "schemaname": relation.schema, "relname": relation.name,
                "n_live_tup": _live(session, relation.relation.name), "n_dead_tup": 0, "seq_scan": 0, "seq_tup_read": 0,
                "vacuum_count": 0, "autovacuum_count": 0, "analyze_count": 0, "autoanalyze_count": 0,
            }  # fmt: skip


def _live(session: Session, name: str) -> int:
    """A relation of the open transaction has no state yet."""
    with session.engine.lock:
        state = session.engine.states.get(name)
        return 0 if state is None or state.contents is None else state.contents.live
