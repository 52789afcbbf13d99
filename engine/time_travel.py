"""Which epoch AS OF asks for.

    AS OF EPOCH n           that one, when all that is read has reached it
    AS OF AT LEAST EPOCH n  the latest, when all that is read has reached n
    AS OF TIMESTAMP t       the last one that had come by then

Every change that is kept has the time of its epoch, so an instant lies between two changes of each relation; the
answer is an epoch that lies so for all of them. Before the first change that is kept nothing is known but the
time of the last one that is gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from constellationdb.engine.pg_catalog.set_functions import is_system
from constellationdb.engine.reads import evaluate_constant, relations_of
from constellationdb.engine.relation import RelationState
from constellationdb.engine.stopped import await_epoch
from constellationdb.errors import FeatureNotSupported, HistoryExpired, InvalidParameter
from constellationdb.planner import statements as st
from constellationdb.planner.snapshot import SnapshotPlan
from constellationdb.planner.zones import in_zone

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def epoch_of_query(session: Session, query: st.Query, planned: SnapshotPlan) -> int | None:
    """The epoch at which a query wants to see the relations it reads; None: the latest."""
    if query.as_of_time is None:
        return query.as_of_epoch
    if query.at_system_time and query.at_system_time != len(planned.tables) + len(planned.windows):
        raise FeatureNotSupported(
            "a query that reads some relations as they are and others FOR SYSTEM_TIME AS OF is not supported",
            hint="AS OF TIMESTAMP at the end of the query reads all of them as of one time",
            position=query.offset + 1,
        )
    return epoch_at(session, instant(session, query.as_of_time), relations_of(planned))


def instant(session: Session, expression: str) -> int:
    """The value of AS OF TIMESTAMP, in µs."""
    asked = in_zone(st.Select("", 0, st.Query(f"SELECT CAST(({expression}) AS timestamptz)")), session.zone)
    value = evaluate_constant(session.engine.snapshot_plans.plan(session, asked.query))
    if not isinstance(value, datetime):
        raise InvalidParameter("AS OF TIMESTAMP must not be NULL")
    if value > _EPOCH + timedelta(microseconds=session.engine.clock.now_us()):
        raise InvalidParameter("AS OF TIMESTAMP lies in the future", detail=f"It is {value.isoformat(' ')}.")
    return (value - _EPOCH) // timedelta(microseconds=1)


def epoch_at(session: Session, at_us: int, names: Iterable[str]) -> int:
    """The last epoch that had come at ``at_us``, as far as these relations can tell."""
    engine = session.engine
    with engine.lock:
        now = engine.epoch
        states = [engine.state(name) for name in sorted(names) if not is_system(name)]
    await_epoch(engine, states, now, session.cancelled)
    with engine.lock:
        following = [_following(state, at_us) for state in states]
        return min([now, *(epoch - 1 for epoch in following if epoch is not None)])


def _following(state: RelationState, at_us: int) -> int | None:
    known, following = state.log.around(at_us)
    if not known:
        raise HistoryExpired(
            f'"{state.name}" as it was then is no longer kept',
            detail=f"changes are kept from epoch {state.log.begins} on",
            hint="ask for a later time, or create it WITH (retain_history = '1 hour')",
        )
    return following
