"""What a query's rows look like, whether they end or not."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from constellationdb.planner.analysis.catalog_functions import Functions
from constellationdb.planner.continuous import ContinuousPlanner, is_continuous
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.snapshot import SnapshotPlanner
from constellationdb.planner.statements import Query


def query_schema(query: Query, relations: Mapping[str, PlannedRelation], functions: Functions) -> pa.Schema:
    if is_continuous(query, relations):
        return ContinuousPlanner(relations).plan(query).output
    return SnapshotPlanner(relations, functions=functions).plan(query).schema
