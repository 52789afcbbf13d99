"""CREATE SUBSCRIPTION, and what is refused of it and of dropping one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from constellationdb.catalog.model import Create, Relation, make_relation
from constellationdb.connectors.relation_options import subscription_settings
from constellationdb.engine import definitions
from constellationdb.engine.result import Notice, Result
from constellationdb.engine.stopped import failed_under, refuse_stopped
from constellationdb.errors import (
    ActiveTransaction,
    FeatureNotSupported,
    ObjectInUse,
    WrongObjectType,
)
from constellationdb.planner import statements as st

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

_HINTS = {
    "source": "a source keeps no rows: create a materialized view over it",
    "view": "create a materialized view over it",
}


def create_subscription(session: Session, statement: st.CreateSubscription) -> Result:
    """It begins with the epoch before the one that it is created in, of which its relation has to have an answer."""
    if session.transaction is not None and session.transaction.explicit:
        raise ActiveTransaction("CREATE SUBSCRIPTION cannot run inside a transaction block")
    place = session.names.place(statement.name, statement.name_position + 1)
    if place.existing is not None and statement.if_not_exists:
        said = f'relation "{place.label}" already exists, skipping'
        return Result("CREATE SUBSCRIPTION", notices=[Notice(said, sqlstate="42P07")])
    definitions.refuse_existing(session.catalog, place)
    subscription_settings(statement.options)
    follows = _followed(session, statement)
    _await_answer(session, follows)
    made = make_relation(
        place.name,
        "subscription",
        follows.schema,
        options=dict(statement.options),
        sql=statement.text,
        depends_on=(follows.name,),
        namespace=place.namespace,
        label=place.other_label,
    )
    with session.together() as transaction:
        transaction.define(session.engine, Create((made,)))
    return Result("CREATE SUBSCRIPTION")


def _followed(session: Session, statement: st.CreateSubscription) -> Relation:
    position = statement.relation_position + 1
    relation = session.names.relation(statement.relation, position)
    if relation.kind not in ("table", "materialized view", "side output"):
        raise WrongObjectType(
            f'cannot subscribe to {relation.kind} "{relation.shown}" by name',
            hint=_HINTS.get(relation.kind),
            position=position,
        )
    if relation.is_temporary:
        raise FeatureNotSupported("a subscription cannot be to a temporary table", position=position)
    return relation


def _await_answer(session: Session, relation: Relation) -> None:
    """The first one of a view that is still being computed."""
    if session.transaction is not None:
        session.transaction.check_reads(session.catalog, [relation.name], changes=True)
    engine = session.engine
    state = engine.state(relation.name)
    engine.wait(lambda: state.ready or state.dropped or failed_under([state]) is not None, session.cancelled)
    with engine.lock:
        refuse_stopped(engine, [state])


def refuse_active(session: Session, names: Iterable[str]) -> None:
    """55006 when DROP would take away a subscription that a session has open."""
    with session.engine.lock:
        found = [session.engine.subscriptions[name] for name in names if name in session.engine.subscriptions]
    for subscription in found:
        if subscription.reader is not None:
            raise ObjectInUse(
                f'subscription "{subscription.relation.shown}" is active for PID {subscription.reader}',
                hint="it can be dropped once its reader has closed the cursor",
            )
