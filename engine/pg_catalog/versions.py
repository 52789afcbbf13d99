"""``Objects`` by version of the catalog, and the columns of plain views, which only their plans tell."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pyarrow as pa

from constellationdb.catalog.catalog import Catalog
from constellationdb.catalog.model import Relation
from constellationdb.engine.pg_catalog.functions import NoSession
from constellationdb.engine.pg_catalog.objects import Objects
from constellationdb.errors import ConstellationError
from constellationdb.planner import statements as st
from constellationdb.planner.described import query_schema
from constellationdb.planner.syntax.edits import identifier

if TYPE_CHECKING:
    from constellationdb.engine.relations import PlannedCatalog

_KEPT = 4  # versions at hand: the last, and those of open transactions


class ObjectsOf:
    """Any thread. A view is planned again only when something it reads is defined anew."""

    def __init__(self, planned: PlannedCatalog) -> None:
        self._planned = planned
        self._lock = threading.Lock()
        self._kept: list[Objects] = []
        self._views: dict[str, tuple[tuple[Relation, ...], pa.Schema]] = {}

    def of(self, catalog: Catalog) -> Objects:
        with self._lock:
            for objects in self._kept:
                if objects.catalog is catalog:
                    return objects
            made = Objects(catalog, lambda name: self._columns(catalog, name))
            self._kept = [made, *self._kept[: _KEPT - 1]]
            return made

    def _columns(self, catalog: Catalog, name: str) -> pa.Schema:
        bases = tuple(catalog.relations[base] for base in sorted(catalog.bases_of(name)) if base in catalog.relations)
        known = self._views.get(name)
        if known is not None and len(known[0]) == len(bases) and all(map(_is, known[0], bases)):
            return known[1]
        schema = self._plan(catalog, name)
        self._views[name] = bases, schema
        return schema

    def _plan(self, catalog: Catalog, name: str) -> pa.Schema:
        """On a thread of its own: who asks may be a function that DataFusion calls, where it cannot plan."""
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(self._planned_columns, catalog, name).result()

    def _planned_columns(self, catalog: Catalog, name: str) -> pa.Schema:
        """No columns for a view that can no longer be planned."""
        try:
            return query_schema(st.Query(f"SELECT * FROM {identifier(name)}"), self._planned.of(catalog), NoSession())
        except ConstellationError:
            return pa.schema([])


def _is(one: object, other: object) -> bool:
    return one is other
