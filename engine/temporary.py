"""Temporary tables: ordinary ones under the name ``pg_temp_<pid>.<name>``, which only their session finds by ``name``.

They hide tables of the same name in ``public``, are dropped when their session
ends, and those that a crash left behind when the engine starts again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from constellationdb.catalog.catalog import Catalog
from constellationdb.catalog.model import TEMPORARY, Drop
from constellationdb.engine import changes
from constellationdb.engine.relations import Planned
from constellationdb.errors import ConstellationError, FeatureNotSupported
from constellationdb.planner import statements as st

if TYPE_CHECKING:
    from constellationdb.engine.engine import Engine
    from constellationdb.engine.sequencer import Epoch
    from constellationdb.engine.session import Session

ON_COMMIT = "on_commit"


class TemporaryTables:
    """One session's. ``used`` is False until it creates the first: then none of this costs anything."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.schema = f"{TEMPORARY}{session.pid}."
        self.used = False
        self._known: tuple[Catalog, Planned] | None = None

    def name(self, name: str) -> str:
        """What a table called ``name`` by its session is called by everybody."""
        return self.schema + name

    def resolve(self, name: str) -> str:
        """The relation that a statement means by ``name``."""
        if not self.used:
            return name
        own = self.schema + name.removeprefix("pg_temp.")
        return own if own in self._session.catalog.relations else name

    def resolves(self, names: Iterable[str]) -> bool:
        """Whether one of the names is a temporary table."""
        return any(self.resolve(name) != name for name in names)

    @property
    def names(self) -> list[str]:
        return [name for name in self._session.catalog.relations if name.startswith(self.schema)]

    def planned(self, catalog: Catalog, planned: Planned) -> Planned:
        """The relations for the planner, with the session's own by their short names."""
        if self._known is None or self._known[0] is not catalog:
            short = {name.removeprefix(self.schema): planned[name] for name in self.names}
            aliases = {**short, **{f"pg_temp.{name}": relation for name, relation in short.items()}}
            self._known = (catalog, {**planned, **aliases})
        return self._known[1]

    def check(self, statement: st.Statement) -> None:
        """``public.t`` cannot be told from ``t`` further on, so it is refused while a temporary table hides it."""
        for own in self.names:
            name = own.removeprefix(self.schema)
            if name not in self._session.catalog.relations:
                continue
            if re.search(rf'\bpublic"?\s*\.\s*"?{re.escape(name)}\b', statement.text, re.IGNORECASE):
                raise FeatureNotSupported(
                    f'"public.{name}" cannot be named while a temporary table hides it',
                    hint=f"drop the temporary table {name} first",
                )

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
            match self._session.catalog.relations[name].options.get(ON_COMMIT):
                case "drop":
                    transaction.define(self._session.engine, Drop((name,)))
                case "delete" if name in transaction.tables:
                    changes.empty(self._session, name)

    def discard(self) -> None:
        if self.used and (names := tuple(self.names)):
            with self._session.together() as transaction:
                transaction.define(self._session.engine, Drop(names))

    def close(self) -> None:
        if self.used:
            drop_all(self._session.engine, self.schema)


def drop_all(engine: Engine, schema: str) -> None:
    """Every temporary table whose name begins so; an engine that is stopping does it when it starts again."""

    def work(epoch: Epoch) -> None:
        names = [name for name in engine.catalog.relations if name.startswith(schema)]
        if names:
            engine.define(epoch, Drop(engine.catalog.to_drop(names, cascade=True)))

    try:
        engine.submit(work, first=True).result()
    except ConstellationError:
        return
