"""Fetching for lookup joins: off the engine's threads, retried until the source answers.

A miss never becomes a NULL: a source that fails is asked again, with a growing
pause, while the rows of those keys wait; ``trouble`` says what it said last.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
from msgspec.structs import replace

from constellationdb.catalog.model import Relation
from constellationdb.connectors.api import LookupPredicate, LookupSource
from constellationdb.connectors.pushdown import PushdownAdapter
from constellationdb.connectors.registry import open_lookup
from constellationdb.engine.operators.base import LookupRequest
from constellationdb.engine.operators.lookup import LookupJoinOperator
from constellationdb.engine.record import Answer, AnswerHeader
from constellationdb.errors import ConnectorFailure, InvalidParameter
from constellationdb.planner import plan
from constellationdb.planner.lower.predicates import values_of
from constellationdb.planner.syntax.intervals import parse_interval

_THREADS = 4
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0

Deliver = Callable[[Answer], None]


class LookupTables:
    """The opened back ends of lookup tables, and the threads that ask them."""

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver
        self._sources: dict[str, PushdownAdapter] = {}
        self._definitions: dict[str, Relation] = {}
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="lookup")
        self._stopping = threading.Event()
        self.trouble: dict[str, str] = {}

    def add(self, relation: Relation) -> None:
        self._sources[relation.name] = pushdown_of(relation, open_back_end(relation))
        self._definitions[relation.name] = relation

    def remove(self, name: str) -> None:
        source = self._sources.pop(name, None)
        self._definitions.pop(name, None)
        if source is not None:
            source.close()

    def opened(self, relation: Relation) -> PushdownAdapter | None:
        """The back end of this very definition, if it is in effect."""
        known = self._definitions.get(relation.name)
        same = known is not None and replace(known, oid=0) == replace(relation, oid=0)
        return self._sources.get(relation.name) if same else None

    def operator(self, node: plan.LookupJoin) -> LookupJoinOperator:
        relation = self._definitions[node.table]
        ttl = relation.options.get("cache.ttl")
        return LookupJoinOperator(node, relation.schema, None if ttl is None else parse_interval(ttl))

    def request(self, job: str, node: plan.LookupJoin, request: LookupRequest) -> None:
        """Fetch in the background; the answer goes to ``deliver``."""
        if not self._stopping.is_set():
            self._pool.submit(self._fetch, job, node, request)

    def _fetch(self, job: str, node: plan.LookupJoin, request: LookupRequest) -> None:
        pause = _FIRST_PAUSE_S
        predicates = [LookupPredicate(p.column, p.op, tuple(values_of(p))) for p in node.predicates]  # type: ignore[arg-type]
        while not self._stopping.is_set():
            source = self._sources.get(request.table)
            if source is None:
                return
            try:
                found = source.fetch(request.keys, list(node.columns), predicates)
            except Exception as error:
                self.trouble[request.table] = str(error)
                self._stopping.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)
                continue
            self.trouble.pop(request.table, None)
            rows = found.combine_chunks().to_batches()
            empty = pa.RecordBatch.from_pylist([], schema=found.schema)
            header = AnswerHeader(job, node.id, request.table)
            self._deliver(Answer(header, request.keys, rows[0] if rows else empty))
            return

    def close(self) -> None:
        self._stopping.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        for source in self._sources.values():
            source.close()


def pushdown_of(relation: Relation, opened: LookupSource) -> PushdownAdapter:
    """``opened`` with as much pushdown as the table's options say."""
    options = relation.options
    pushdown = options.get("pushdown", "auto")
    if pushdown not in ("auto", "enabled", "disabled"):
        raise InvalidParameter(f'pushdown is "{pushdown}"', hint="it is auto, enabled or disabled")
    if pushdown == "enabled" and not opened.capabilities.predicates:
        raise InvalidParameter(f'pushdown is enabled, but connector "{options["connector"]}" evaluates no predicate')
    return PushdownAdapter(opened, push=pushdown != "disabled")


def open_back_end(relation: Relation) -> LookupSource:
    """The connector of a CREATE LOOKUP TABLE; what is wrong with its options is said here."""
    connector = relation.options.get("connector")
    if connector is None:
        raise InvalidParameter(
            f'lookup table "{relation.name}" has no connector', hint="add WITH (connector = 'file', path = …)"
        )
    options = {k: v for k, v in relation.options.items() if k not in ("connector", "cache.ttl", "pushdown", "strategy")}
    source = open_lookup(connector, relation.schema, relation.primary_key, options)
    check = getattr(source, "check", None)
    if check is not None:
        try:
            check()
        except ConnectorFailure:
            source.close()
            raise
    return source
