"""CREATE and DROP SAVEPOINT, which Postgres does not know. Without the first word it is a transaction's SAVEPOINT."""

from __future__ import annotations

from constellationdb.planner.statements import CreateSavepoint, DropSavepoint, Statement
from constellationdb.planner.syntax.cursor import Cursor
from constellationdb.planner.syntax.tokens import Region


def create_savepoint(region: Region) -> Statement:
    cursor = Cursor(region)
    cursor.expect("create", "savepoint")
    if_not_exists = cursor.accept("if", "not", "exists")
    name = cursor.identifier()
    cursor.expect_end()
    return CreateSavepoint(region.text, region.start, name, if_not_exists)


def drop_savepoint(region: Region) -> Statement:
    cursor = Cursor(region)
    cursor.expect("drop", "savepoint")
    if_exists = cursor.accept("if", "exists")
    name = cursor.identifier()
    cursor.expect_end()
    return DropSavepoint(region.text, region.start, name, if_exists)
