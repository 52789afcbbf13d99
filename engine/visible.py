"""What a session's statement sees of the relations it reads.

no transaction     the latest epoch that all of them have reached, not before the session's own writes
a transaction      the one epoch it reads at, with its own changes on top
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pyarrow as pa

from constellationdb.engine.overlay import TableOverlay
from constellationdb.engine.pg_catalog.set_functions import is_system
from constellationdb.engine.reads import Reader
from constellationdb.engine.stopped import await_epoch, refuse_stopped
from constellationdb.engine.transaction import Transaction, defined_anew
from constellationdb.errors import InvalidParameter

if TYPE_CHECKING:
    from constellationdb.engine.session import Session


def visible(session: Session, names: Iterable[str], at: int | None = None, least: int = 0) -> dict[str, pa.Table]:
    """The rows of some relations as the session sees them now; ``at`` and ``least``: AS OF [AT LEAST] EPOCH."""
    asked, transaction = set(names), session.transaction
    reader = Reader(session)
    if transaction is None:
        return reader.tables(asked, max(least, at_least(session, asked)), at)
    transaction.check_reads(session.catalog, asked)
    transaction.reads |= _tables_under(session, asked)
    overlays = _overlays(session, transaction, asked)
    stored = {n for n in asked if n not in overlays or overlays[n].committed is not None}
    if at is None and (at := epoch_of(session, transaction, stored)) is not None:
        if at < least:
            raise InvalidParameter(
                f"this transaction reads at epoch {at}, which is before {least}",
                hint="begin it when that epoch has come: SELECT … AS OF AT LEAST EPOCH n outside of it waits",
            )
        _refuse_younger(session, stored, at)
    found = dict(reader.tables(stored, session.last_epoch, at))
    for name, overlay in overlays.items():
        found[name] = overlay.over(found[name] if name in found else overlay.schema.empty_table())
    return found


def _tables_under(session: Session, names: Iterable[str]) -> set[str]:
    catalog = session.catalog
    bases = {base for name in names for base in catalog.bases_of(name)}
    return {base for base in bases if base in catalog.relations and catalog.relations[base].kind == "table"}


def at_least(session: Session, names: Iterable[str]) -> int:
    """The session's last epoch, when something it reads depends on what it wrote."""
    if not session.written:
        return 0
    catalog = session.catalog
    bases = {base for name in names for base in catalog.bases_of(name)}
    return session.last_epoch if bases & session.written else 0


def epoch_of(session: Session, transaction: Transaction, names: Iterable[str] = ()) -> int | None:
    """The epoch a transaction reads at, settled by its first statement: None before that, for system tables alone.

    It is the latest that everything read by that statement has reached, and holds the session's own writes.
    """
    engine = session.engine
    stored = [n for n in names if _has_state(session, n)]
    if transaction.epoch is None and stored:
        with engine.lock:
            states = [engine.state(n) for n in stored]
        await_epoch(engine, states, session.last_epoch, session.cancelled)
        with engine.lock:
            refuse_stopped(engine, states)
            transaction.epoch = min(s.frontier for s in states)
            engine.pins[transaction] = transaction.epoch
    return transaction.epoch


def _has_state(session: Session, name: str) -> bool:
    relation = session.catalog.relations.get(name)
    return not is_system(name) and (relation is None or relation.kind != "sequence")


def _refuse_younger(session: Session, names: Iterable[str], epoch: int) -> None:
    """40001 for what others have defined since the epoch that the transaction reads at: it had no rows then."""
    with session.engine.lock:
        for name in names:
            if _has_state(session, name) and session.engine.state(name).since > epoch:
                raise defined_anew(name)


def _overlays(session: Session, transaction: Transaction, names: set[str]) -> dict[str, TableOverlay]:
    """The tables among ``names`` that the transaction has changed or created."""
    found = {}
    for name in names:
        relation = session.catalog.relations.get(name)
        if (
            relation is not None
            and relation.kind == "table"
            and (name in transaction.tables or transaction.created(name))
        ):
            overlay = transaction.target(session.engine, relation)
            assert isinstance(overlay, TableOverlay)
            found[name] = overlay
    return found
