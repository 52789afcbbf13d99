"""BEGIN, COMMIT, ROLLBACK, SAVEPOINT and the modes of transactions, for a session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from constellationdb.engine.result import Notice, Result
from constellationdb.engine.transaction import Savepoint, Transaction
from constellationdb.errors import ActiveTransaction, NoActiveTransaction
from constellationdb.planner import statements as st

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

_NAMES = {"savepoint": "SAVEPOINT", "release": "RELEASE SAVEPOINT", "rollback_to": "ROLLBACK TO SAVEPOINT"}
_CHAINED = ("transaction_isolation", "transaction_read_only", "transaction_deferrable")
_DEFERRABLE = "SET TRANSACTION [NOT] DEFERRABLE"


def control(session: Session, statement: st.Transaction) -> Result:
    match statement.action:
        case "begin":
            return _begin(session, statement)
        case "commit" | "rollback":
            return _end(session, statement)
    transaction = _block(session, _NAMES[statement.action])
    name = statement.savepoint or ""
    match statement.action:
        case "savepoint":
            transaction.savepoint(
                name, session.settings.mark(), session.portals.mark(), session.unacknowledged.places()
            )
            return Result("SAVEPOINT")
        case "release":
            transaction.release(name)
            return Result("RELEASE")
        case _:
            _back_to(session, transaction.rollback_to(session.engine, name))
            return Result("ROLLBACK")


def _block(session: Session, what: str) -> Transaction:
    """The transaction that BEGIN opened."""
    if session.transaction is None or not session.transaction.explicit:
        raise NoActiveTransaction(f"{what} can only be used in transaction blocks")
    return session.transaction


def _back_to(session: Session, savepoint: Savepoint) -> None:
    session.settings.back_to(savepoint.settings)
    session.portals.back_to(savepoint.portals)
    session.unacknowledged.back_to(savepoint.given, session.unit)
    if session.transaction is not None:
        session.set_modes(session.transaction)


def _begin(session: Session, statement: st.Transaction) -> Result:
    tag = "START TRANSACTION" if statement.text[:5].lower() == "start" else "BEGIN"
    if session.transaction is not None and session.transaction.explicit:
        return Result(tag, notices=[Notice("there is already a transaction in progress", "WARNING", "25001")])
    transaction = session.transaction or session.start(explicit=True)
    transaction.explicit = True
    _take_modes(session, transaction, statement.modes)
    return Result(tag)


def _take_modes(session: Session, transaction: Transaction, modes: Mapping[str, str]) -> None:
    for name, value in modes.items():
        session.settings.set(name, value, local=True)
    session.set_modes(transaction)


def _end(session: Session, statement: st.Transaction) -> Result:
    tag = statement.action.upper()
    if statement.chain:
        _block(session, f"{tag} AND CHAIN")
    transaction, notices = session.transaction, []
    if transaction is None or not transaction.explicit:
        notices.append(Notice("there is no transaction in progress", "WARNING", "25P01"))
    if transaction is None:
        return Result(tag, notices=notices)
    modes = {name: session.settings.get(name) for name in _CHAINED}
    if statement.action == "commit" and not transaction.failed:
        session.commit()
    else:
        tag = "ROLLBACK"
        session.rollback()
    if statement.chain:
        _take_modes(session, session.start(explicit=True), modes)
    return Result(tag, notices=notices)


def set_transaction(session: Session, statement: st.SetTransaction) -> Result:
    """SET TRANSACTION; SET SESSION CHARACTERISTICS is for the transactions to come."""
    if statement.session:
        for name, value in statement.modes.items():
            session.settings.set(f"default_{name}", value)
        return Result("SET")
    if session.transaction is None:
        return Result("SET", notices=[outside("SET TRANSACTION")])
    for name, value in statement.modes.items():
        set_mode(session, name, value)
    return Result("SET")


def outside(what: str) -> Notice:
    return Notice(f"{what} can only be used in transaction blocks", "WARNING", "25P01")


def set_mode(session: Session, name: str, value: str) -> None:
    """One mode of the open transaction: 25001 when it is too late for it."""
    transaction, settings = session.transaction, session.settings
    before = settings.get(name)
    mark = settings.mark()
    settings.set(name, value, local=True)
    if transaction is None:
        settings.back_to(mark)
        return
    after = settings.get(name)
    trouble = None if after == before else _too_late(transaction, name, after)
    if trouble is not None:
        settings.back_to(mark)
        raise ActiveTransaction(trouble)
    session.set_modes(transaction)


def _too_late(transaction: Transaction, name: str, value: str) -> str | None:
    nested, begun = bool(transaction.savepoints), transaction.queried
    match name:
        case "transaction_isolation":
            if begun:
                return "SET TRANSACTION ISOLATION LEVEL must be called before any query"
            return "SET TRANSACTION ISOLATION LEVEL must not be called in a subtransaction" if nested else None
        case "transaction_read_only":
            if value == "on":
                return None
            if nested:
                return "cannot set transaction read-write mode inside a read-only transaction"
            return "transaction read-write mode must be set before any query" if begun else None
        case _:
            if nested:
                return f"{_DEFERRABLE} cannot be called within a subtransaction"
            return f"{_DEFERRABLE} must be called before any query" if begun else None
