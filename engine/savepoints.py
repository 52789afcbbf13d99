"""CREATE, RESTORE and DROP SAVEPOINT: a checkpoint that is kept under a name until the name is dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from constellationdb.engine.result import Notice, Result
from constellationdb.errors import (
    ActiveTransaction,
    DuplicateObject,
    ReadOnlyTransaction,
    ShuttingDown,
    UndefinedObject,
)
from constellationdb.planner import statements as st

if TYPE_CHECKING:
    from constellationdb.engine.session import Session


def perform_savepoint(session: Session, statement: st.NamedSavepoint) -> Result:
    _check(session, statement.command)
    result = Result(statement.command)
    try:
        match statement.action:
            case "create":  # it holds what every session had written when it was asked for
                session.engine.durability.add_savepoint(statement.name)
            case "restore":
                result.notices += _restore(session, statement.name)
            case "drop":
                session.engine.durability.drop_savepoint(statement.name)
    except (DuplicateObject, UndefinedObject) as error:
        if not statement.lenient:
            raise
        result.notices.append(Notice(f"{error.message}, skipping", sqlstate=_SKIPPED[type(error)]))
    return result


_SKIPPED: dict[type[Exception], str] = {DuplicateObject: "42710", UndefinedObject: "00000"}


def _check(session: Session, command: str) -> None:
    if session.read_only:
        raise ReadOnlyTransaction(f"cannot execute {command} in a read-only transaction")
    if session.transaction is not None:
        raise ActiveTransaction(f"{command} cannot run inside a transaction block")


def _restore(session: Session, name: str) -> list[Notice]:
    """The whole database, for everybody; this session stays, without what it had open."""
    engine = session.engine
    epoch = engine.durability.savepoint(name)
    reason = ShuttingDown(
        f'terminating connection because the database went back to savepoint "{name}"', hint="connect again"
    )
    session.portals.close_all()
    session.sequences.forget()
    session.written.clear()
    went = engine.go_back(epoch, session, reason)
    # So that who starts with the checkpoints alone, after the loss of the log, gives no epoch a second time.
    engine.durability.checkpoint_now()
    with engine.lock:
        expired = [known.relation.shown for known in engine.subscriptions.values() if known.is_expired]
    lines = [*went.report, *([f"subscriptions that have expired: {', '.join(expired)}"] if expired else [])]
    return [Notice(f'went back to savepoint "{name}", the checkpoint of epoch {epoch}', detail="\n".join(lines))]
