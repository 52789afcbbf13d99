"""Which rule lowers which kind of relation."""

from __future__ import annotations

from constellationdb.planner.lower.aggregate import lower_aggregate
from constellationdb.planner.lower.core import Rule
from constellationdb.planner.lower.join import lower_cross, lower_join
from constellationdb.planner.lower.order import lower_order
from constellationdb.planner.lower.relational import lower_filter, lower_project, lower_read, lower_set

RULES: dict[str, Rule] = {
    "read": lower_read,
    "filter": lower_filter,
    "project": lower_project,
    "aggregate": lower_aggregate,
    "join": lower_join,
    "cross": lower_cross,
    "sort": lower_order,
    "fetch": lower_order,
    "set": lower_set,
}
