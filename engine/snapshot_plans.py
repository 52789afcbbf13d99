"""Plans of queries over system relations, kept by their text: what psql's ``\\d``, a BI tool and a pool ask again.

Planning such a query takes longer than running it, and its plan hangs on little: on settings that literals are read
by, and on the catalog's version where it holds an answer about the catalog (``'orders'::regclass`` is an oid in the
plan). A query whose plan may hold anything else that changes, such as the time, is planned each time.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from constellationdb.catalog.catalog import Catalog
from constellationdb.engine.pg_catalog.functions import SessionFunctions, of_the_catalog
from constellationdb.engine.pg_catalog.set_functions import is_system
from constellationdb.planner import statements as st
from constellationdb.planner.snapshot import SnapshotPlan, SnapshotPlanner

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

Key: TypeAlias = tuple[st.Query, tuple[str, ...]]

_KEPT = 512
_READ_BY = ("search_path", "timezone", "datestyle", "intervalstyle")  # what literals, and names in them, are read by
_LONGEST = 100_000  # characters of a query that is worth keeping
_CHANGING = re.compile(r"now|today|tomorrow|yesterday|timestamp|time\b|current_date|\bage\b", re.IGNORECASE)


@dataclass(frozen=True)
class _Kept:
    """``catalog``: the one version that the plan holds for; None: any."""

    plan: SnapshotPlan
    catalog: Catalog | None

    def holds_for(self, session: Session) -> bool:
        """A session's temporary tables have names that are others' elsewhere."""
        return self.catalog is None or (self.catalog is session.catalog and not session.temporary.used)


class SnapshotPlans:
    """Of one engine. Any thread; the plan that was asked for longest ago makes room."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()

    def plan(self, session: Session, query: st.Query) -> SnapshotPlan:
        key = query, (session.user, *map(session.settings.get, _READ_BY))
        functions = SessionFunctions(session)
        found = self._find(key)
        if found is not None and found.holds_for(session):
            return replace(found.plan, functions={s: functions(s) for s in found.plan.functions})
        catalog = session.catalog
        planned = SnapshotPlanner(session.relations, functions=functions).plan(query)
        if _is_lasting(query, planned) and functions.answered <= of_the_catalog():
            unbound = replace(planned, functions=dict.fromkeys(planned.functions))
            kept = _Kept(unbound, catalog if functions.answered or catalog.functions or catalog.types else None)
            if kept.holds_for(session):  # nothing was defined meanwhile
                self._keep(key, kept)
        return planned

    def _find(self, key: Key) -> _Kept | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _keep(self, key: Key, kept: _Kept) -> None:
        with self._lock:
            self._kept[key] = kept
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)


def _is_lasting(query: st.Query, planned: SnapshotPlan) -> bool:
    """Whether nothing in it is of a user's relations or of the moment."""
    reads_the_system = bool(planned.tables) and all(map(is_system, planned.tables.values()))
    if planned.views or planned.windows or not reads_the_system or len(query.text) > _LONGEST:
        return False
    texts = (query.text, *(argument.text or "" for argument in query.parameters))
    return not any(map(_CHANGING.search, texts))
