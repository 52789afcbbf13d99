"""What a session's subscription cursors have handed out, and its client has not acknowledged yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from constellationdb.engine.durable_subscriptions import SubscriptionPosition
from constellationdb.engine.subscription_cursor import SubscriptionCursor

if TYPE_CHECKING:
    from constellationdb.engine.portals import Portals

Positions = Mapping[int, SubscriptionPosition]  # by the oid of the subscription


class Unacknowledged:
    """``unit``: a transaction that BEGIN opened, or one exchange of messages outside of any."""

    def __init__(self, portals: Portals) -> None:
        self._portals = portals

    def _cursors(self) -> list[SubscriptionCursor]:
        return [portal for _, portal in self._portals if isinstance(portal, SubscriptionCursor)]

    def places(self) -> Positions:
        """To come back to when a savepoint is rolled back to."""
        return {cursor.oid: cursor.given for cursor in self._cursors()}

    def of(self, unit: object) -> Positions:
        """Behind what was handed out in it."""
        return {c.oid: c.given for c in self._cursors() if c.unit == unit and c.given != c.durable.position}

    def back_to(self, places: Positions, unit: object) -> None:
        """What was handed out in ``unit`` comes again, from the given places on, else from what is acknowledged."""
        for cursor in self._cursors():
            if cursor.unit == unit:
                cursor.go_back(places.get(cursor.oid, cursor.durable.position))

    def settle(self, unit: object) -> None:
        """It is committed."""
        for cursor in self._cursors():
            if cursor.unit == unit:
                cursor.unit = None

    def give_back(self, unit: object) -> None:
        """The unit came to nothing."""
        self.back_to({}, unit)
