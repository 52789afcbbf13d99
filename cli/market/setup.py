"""The SQL of the demo, in two parts: the source first, so that a check can subscribe before a row is read."""

from __future__ import annotations

from constellationdb.cli.demo_oracle import VIEWS_SQL, demo_sql
from constellationdb.embedded import Database

RATE = 5_000
SEED = 7


def source_sql(limit: int) -> str:
    return demo_sql(SEED, RATE, limit).removesuffix(VIEWS_SQL)


def create_source(database: Database, limit: int = 0) -> None:
    database.execute(source_sql(limit))


def create_views(database: Database) -> None:
    """As one transaction: the views begin at one epoch, and with the first row."""
    database.execute(VIEWS_SQL)


def exists(database: Database) -> bool:
    """Whether a restored directory holds the demo already."""
    found = database.sql("SELECT name FROM constellation.relations WHERE name = 'big_moves'").fetchall()
    return bool(found)
