"""Lookup tables at run time: opened back ends, their fetchers, and the copies of those that are replicated."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from constellationdb.catalog.model import Relation
from constellationdb.connectors.api import LookupSource, TableSource
from constellationdb.connectors.pushdown import PushdownAdapter
from constellationdb.connectors.registry import open_lookup
from constellationdb.connectors.strategy import NAMES, LookupSettings
from constellationdb.engine.fetching import Asker, Deliver, Fetcher
from constellationdb.engine.operators.base import LookupRequest
from constellationdb.engine.operators.lookup import LookupJoinOperator
from constellationdb.engine.relation import Follower
from constellationdb.engine.replicas import FirstCopy, Replicas, ReplicaState, Submit, read_copy
from constellationdb.errors import InvalidParameter
from constellationdb.planner import plan


class LookupTables:
    """``add`` and ``remove`` follow the catalog; nothing here is asked of a source before a row needs it."""

    def __init__(self, deliver: Deliver, submit: Submit, workers: int) -> None:
        self._deliver = deliver
        self._workers = workers
        self._definitions: dict[str, Relation] = {}
        self._sources: dict[str, PushdownAdapter] = {}
        self._fetchers: dict[str, Fetcher] = {}
        self.replicas = Replicas(submit)

    def add(self, relation: Relation, epoch: int, writer: Follower) -> ReplicaState | None:
        """The table's copy, not filled yet, if it is replicated."""
        self._definitions[relation.name] = relation
        if is_replicated(relation):
            state = ReplicaState(relation, epoch, writer)
            opened = open_back_end(relation)
            if isinstance(opened, TableSource) and not is_fixed(relation):
                self.replicas.add(state, opened, LookupSettings.of(relation.options).ttl_us)
            return state
        source = pushdown_of(relation, open_back_end(relation))
        self._sources[relation.name] = source
        self._fetchers[relation.name] = Fetcher(relation.name, source, self._deliver)
        return None

    def remove(self, name: str) -> None:
        if self._definitions.pop(name, None) is None:
            return
        self._sources.pop(name, None)
        self.replicas.remove(name)
        fetcher = self._fetchers.pop(name, None)
        if fetcher is not None:  # a fetch under way may take its time to end, and the epoch must not
            threading.Thread(target=fetcher.close, name=f"end of lookup {name}", daemon=True).start()

    def opened(self, relation: Relation) -> PushdownAdapter | None:
        """The back end of this very definition, if it is in effect."""
        known = self._definitions.get(relation.name)
        same = known is not None and replace(known, oid=0) == replace(relation, oid=0)
        return self._sources.get(relation.name) if same else None

    def operator(self, node: plan.LookupJoin) -> LookupJoinOperator:
        relation = self._definitions[node.table]
        settings = LookupSettings.of(relation.options)
        share = None if settings.max_rows is None else -(-settings.max_rows // self._workers)
        return LookupJoinOperator(node, relation.schema, settings.ttl_us, share)

    def request(self, job: str, oid: int, node: plan.LookupJoin, request: LookupRequest) -> None:
        """Fetch in the background; the answer goes to ``deliver``."""
        fetcher = self._fetchers.get(request.table)
        if fetcher is not None:
            fetcher.ask(Asker(job, oid, node), request.keys)

    def forget(self, oid: int) -> None:
        """A job is gone: nobody waits for what it asked."""
        for fetcher in self._fetchers.values():
            fetcher.forget(oid)

    def status(self) -> Iterable[dict[str, Any]]:
        """What ``constellation.lookups`` shows of each table, but for what its joins know."""
        for name, relation in self._definitions.items():
            source, fetcher = self._sources.get(name), self._fetchers.get(name)
            stats = None if source is None else source.stats
            yield {
                "name": name,
                "connector": relation.options.get("connector"),
                "strategy": relation.options.get("strategy"),
                "keys_waiting": 0 if fetcher is None else fetcher.waiting_keys,
                "fetches": None if stats is None else stats.fetches,
                "keys_asked": None if stats is None else stats.keys,
                "rows_received": None if stats is None else stats.rows,
                "rows_kept": None if stats is None else stats.kept,
                "error": self.replicas.trouble.get(name) if fetcher is None else fetcher.trouble,
            }

    def close(self) -> None:
        self.replicas.close()
        for fetcher in self._fetchers.values():
            fetcher.close()


def is_replicated(relation: Relation) -> bool:
    return relation.options.get("strategy") == "replicated"


def is_fixed(relation: Relation) -> bool:
    """Whether the rows stand in the statement, and so never change."""
    return relation.options.get("connector") == "inline"


def pushdown_of(relation: Relation, opened: LookupSource) -> PushdownAdapter:
    """``opened`` with as much pushdown as the table's options say."""
    return PushdownAdapter(opened, push=LookupSettings.of(relation.options).pushdown != "disabled")


def open_back_end(relation: Relation) -> LookupSource:
    """The connector of a CREATE LOOKUP TABLE; what is wrong with its options is said here, without asking it."""
    connector = relation.options.get("connector")
    if connector is None:
        raise InvalidParameter(
            f'lookup table "{relation.name}" has no connector', hint="add WITH (connector = 'file', path = …)"
        )
    options = {k: v for k, v in relation.options.items() if k not in NAMES and k != "connector"}
    return open_lookup(connector, relation.schema, relation.primary_key, options)


def check_back_end(source: LookupSource) -> None:
    """Ask the source once, so that what is wrong with it is said now and not at the first join."""
    check = getattr(source, "check", None)
    if check is not None:
        check()


def first_copy(relation: Relation) -> FirstCopy:
    """Read the source of a replicated table as it is now."""
    source = open_back_end(relation)
    try:
        assert isinstance(source, TableSource)
        return FirstCopy(*read_copy(relation, source))
    finally:
        source.close()
