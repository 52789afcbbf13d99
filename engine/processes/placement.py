"""Which graphs run on worker processes: those in which keys have state that the workers can share."""

from __future__ import annotations

from constellationdb.engine.operators.build import exchange_keys
from constellationdb.planner import plan


def is_for_workers(root: plan.AnyNode) -> bool:
    """Not what asks outside tables, which the server does; nor what no key divides.

    Rows of a plan without exchange would be sent away and come back for nothing but a filter or a projection; those
    of a recursion are all one worker's.
    """
    nodes = list(plan.walk(root))
    if any(isinstance(node, plan.LookupJoin | plan.Recursion) for node in nodes):
        return False
    return any(isinstance(node, plan.PartialAggregate) or any(exchange_keys(node)) for node in nodes)
