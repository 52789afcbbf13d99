"""Temporary tables: ordinary ones in the schema ``pg_temp_<pid>``, which is first in their session's search path.

They are dropped when their session ends, and those that a crash left behind when the engine starts again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from constellationdb.catalog.model import TEMPORARY_SCHEMAS, Drop, Relation
from constellationdb.engine import changes
from constellationdb.errors import ConstellationError

if TYPE_CHECKING:
    from constellationdb.engine.engine import Engine
    from constellationdb.engine.sequencer import Epoch
    from constellationdb.engine.session import Session

ON_COMMIT = "on_commit"
_OF_A_SESSION = re.compile(r"pg_temp_[0-9]+\.")


class TemporaryTables:
    """One session's. ``used`` is False until it creates the first: then none of this costs anything."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._namespace = TEMPORARY_SCHEMAS + session.pid
        self.used = False

    @property
    def names(self) -> list[str]:
        return [r.name for r in self._session.catalog.relations.values() if r.namespace == self._namespace]

    # -- the end of transactions and of the session ----------------------------------------------

    @property
    def acts_at_commit(self) -> bool:
        relations = self._session.catalog.relations
        return self.used and any(ON_COMMIT in relations[name].options for name in self.names)

    def before_commit(self) -> None:
        """ON COMMIT DROP and ON COMMIT DELETE ROWS, as the last things the transaction does."""
        transaction = self._session.transaction
        assert transaction is not None
        for name in self.names:
            relation = self._session.catalog.relations.get(name)
            match None if relation is None else relation.options.get(ON_COMMIT):
                case "drop":
                    gone = self._session.catalog.to_drop([name], cascade=True)
                    transaction.define(self._session.engine, Drop(gone))
                case "delete" if name in transaction.tables:
                    changes.empty(self._session, name)

    def discard(self) -> None:
        if self.used and (names := tuple(self.names)):
            with self._session.together() as transaction:
                transaction.define(self._session.engine, Drop(names))

    def close(self) -> None:
        if self.used:
            drop_all(self._session.engine, lambda relation: relation.namespace == self._namespace)


def is_left_behind(relation: Relation) -> bool:
    """Whether it was a session's that is gone; before there were schemas, its name said so."""
    return relation.is_temporary or _OF_A_SESSION.match(relation.name) is not None


def drop_all(engine: Engine, are: Callable[[Relation], bool]) -> None:
    """The temporary tables that are; an engine that is stopping does it when it starts again."""

    def work(epoch: Epoch) -> None:
        names = [relation.name for relation in engine.catalog.relations.values() if are(relation)]
        if names:
            engine.define(epoch, Drop(engine.catalog.to_drop(names, cascade=True)))

    try:
        engine.submit(work, first=True).result()
    except ConstellationError:
        return
