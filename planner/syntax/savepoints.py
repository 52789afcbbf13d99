"""CREATE, RESTORE and DROP SAVEPOINT, which Postgres does not know. SAVEPOINT alone is a transaction's."""

from __future__ import annotations

from typing import Literal

from constellationdb.planner.statements import NamedSavepoint, Statement
from constellationdb.planner.syntax.cursor import Cursor
from constellationdb.planner.syntax.tokens import Region

_LENIENT = {"create": ("if", "not", "exists"), "drop": ("if", "exists")}


def create_savepoint(region: Region) -> Statement:
    return _read(region, "create")


def restore_savepoint(region: Region) -> Statement:
    return _read(region, "restore")


def drop_savepoint(region: Region) -> Statement:
    return _read(region, "drop")


def _read(region: Region, action: Literal["create", "restore", "drop"]) -> Statement:
    cursor = Cursor(region)
    cursor.expect(action, "savepoint")
    lenient = action in _LENIENT and cursor.accept(*_LENIENT[action])
    name = cursor.identifier()
    cursor.expect_end()
    return NamedSavepoint(region.text, region.start, action, name, lenient)
