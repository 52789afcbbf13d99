"""CREATE and DROP SAVEPOINT: a checkpoint that is kept under a name until the name is dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from constellationdb.engine.result import Notice, Result
from constellationdb.errors import ActiveTransaction, DuplicateObject, ReadOnlyTransaction, UndefinedObject
from constellationdb.planner import statements as st

if TYPE_CHECKING:
    from constellationdb.engine.session import Session


def create_savepoint(session: Session, statement: st.CreateSavepoint) -> Result:
    """It holds what every session had written when it was asked for."""
    _check(session, "CREATE SAVEPOINT")
    try:
        session.engine.durability.add_savepoint(statement.name)
    except DuplicateObject as error:
        if not statement.if_not_exists:
            raise
        return Result("CREATE SAVEPOINT", notices=[Notice(f"{error.message}, skipping", sqlstate="42710")])
    return Result("CREATE SAVEPOINT")


def drop_savepoint(session: Session, statement: st.DropSavepoint) -> Result:
    _check(session, "DROP SAVEPOINT")
    try:
        session.engine.durability.drop_savepoint(statement.name)
    except UndefinedObject as error:
        if not statement.if_exists:
            raise
        return Result("DROP SAVEPOINT", notices=[Notice(f"{error.message}, skipping")])
    return Result("DROP SAVEPOINT")


def _check(session: Session, command: str) -> None:
    if session.read_only:
        raise ReadOnlyTransaction(f"cannot execute {command} in a read-only transaction")
    if session.transaction is not None:
        raise ActiveTransaction(f"{command} cannot run inside a transaction block")
