"""CREATE SUBSCRIPTION, DECLARE … SUBSCRIPTION CURSOR and SHOW SUBSCRIPTIONS.

    CREATE SUBSCRIPTION [IF NOT EXISTS] s FROM v [WITH (…)]
    DECLARE c SUBSCRIPTION CURSOR FOR s

Postgres means something else by a subscription, of which it has CONNECTION and PUBLICATION.
"""

from __future__ import annotations

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.statements import (
    CreateSubscription,
    DeclareCursor,
    NamedSubscription,
    Query,
    Select,
    Statement,
)
from constellationdb.planner.syntax.cursor import Cursor
from constellationdb.planner.syntax.options import with_options
from constellationdb.planner.syntax.tokens import Region

_SHOWN = (
    "SELECT name, relation, position, lag_epochs, lag_rows, retained_bytes, state"
    " FROM constellation.subscriptions ORDER BY name"
)


def create_subscription(region: Region) -> Statement:
    cursor = Cursor(region)
    cursor.expect("create")
    if cursor.at("or"):
        raise cursor.error()
    cursor.expect("subscription")
    if_not_exists = cursor.accept("if", "not", "exists")
    name = cursor.name()
    if cursor.at("connection"):
        raise FeatureNotSupported(
            "CREATE SUBSCRIPTION … CONNECTION is not supported",
            hint="a subscription is to a relation of this database: CREATE SUBSCRIPTION s FROM v",
            position=cursor.position + 1,
        )
    cursor.expect("from")
    relation = cursor.name()
    options = with_options(cursor)
    cursor.expect_end()
    return CreateSubscription(
        region.text,
        region.start,
        name.reference,
        relation.reference,
        options,
        if_not_exists,
        name.position,
        relation.position,
    )


def declare(region: Region) -> DeclareCursor | None:
    """None for any other cursor."""
    cursor = Cursor(region)
    cursor.expect("declare")
    if not cursor.peek().is_identifier:
        return None
    name = cursor.identifier()
    if not cursor.at("subscription", "cursor"):
        return None
    cursor.expect("subscription", "cursor", "for")
    begin = cursor.position
    subscription = cursor.name()
    if cursor.at("full") or cursor.at("since"):
        raise FeatureNotSupported(
            f"SUBSCRIPTION CURSOR … {cursor.next().word.upper()} is not supported",
            hint="it goes on where its client has acknowledged; SUBSCRIBE … AS OF EPOCH n begins anywhere",
            position=cursor.position + 1,
        )
    cursor.expect_end()
    source = NamedSubscription(region.text, begin, subscription.reference, subscription.position)
    return DeclareCursor(region.text, region.start, name, source, hold=True)


def show(region: Region) -> Statement | None:
    """None for the SHOW of a setting."""
    cursor = Cursor(region)
    cursor.expect("show")
    if not (cursor.accept("subscriptions") and cursor.done):
        return None
    return Select(region.text, region.start, Query(_SHOWN, region.start))
