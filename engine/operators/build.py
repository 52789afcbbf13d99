"""From a plan node to its operator, and the key by which each of its inputs must be exchanged."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, assert_never

from constellationdb.engine.operators.aggregate import AggregateOperator
from constellationdb.engine.operators.arranged import Borrow
from constellationdb.engine.operators.asof import AsofOperator
from constellationdb.engine.operators.base import Operator
from constellationdb.engine.operators.changelog import ChangelogOperator
from constellationdb.engine.operators.join import JoinOperator
from constellationdb.engine.operators.on_close import OnCloseOperator
from constellationdb.engine.operators.over import OverOperator
from constellationdb.engine.operators.pane_aggregate import PaneAggregateOperator
from constellationdb.engine.operators.partial_aggregate import PartialAggregateOperator
from constellationdb.engine.operators.recompute import RecomputeOperator
from constellationdb.engine.operators.recursion import MakeStep, RecursionOperator
from constellationdb.engine.operators.replicated import ReplicatedLookupOperator
from constellationdb.engine.operators.session import SessionAssignOperator
from constellationdb.engine.operators.session_aggregate import SessionAggregateOperator
from constellationdb.engine.operators.stateless import ConstantOperator, FragmentOperator, UnionOperator
from constellationdb.engine.operators.temporal_filter import TemporalFilterOperator
from constellationdb.engine.operators.top import TopNOperator
from constellationdb.engine.operators.unnest import UnnestOperator
from constellationdb.engine.operators.window import WindowAssignOperator
from constellationdb.errors import InternalError
from constellationdb.planner import plan

LookupFactory: TypeAlias = Callable[[plan.LookupJoin], Operator]


def build(
    node: plan.AnyNode, lookups: LookupFactory | None, borrow: Borrow | None, make_step: MakeStep | None = None
) -> Operator:
    match node:
        case plan.Constant():
            return ConstantOperator(node)
        case plan.Fragment():
            return FragmentOperator(node)
        case plan.Union():
            return UnionOperator(node)
        case plan.WindowAssign():
            return WindowAssignOperator(node)
        case plan.Changelog():
            return ChangelogOperator(node)
        case plan.TemporalFilter():
            return TemporalFilterOperator(node)
        case plan.SessionAssign():
            return SessionAssignOperator(node)
        case plan.Aggregate():
            return AggregateOperator(node)
        case plan.PartialAggregate():
            return PartialAggregateOperator(node)
        case plan.SessionAggregate():
            return SessionAggregateOperator(node)
        case plan.PaneAggregate():
            return PaneAggregateOperator(node)
        case plan.Recompute():
            return RecomputeOperator(node, borrow)
        case plan.TopN():
            return TopNOperator(node)
        case plan.Over():
            return OverOperator(node)
        case plan.Join():
            return JoinOperator(node, borrow)
        case plan.Asof():
            return AsofOperator(node)
        case plan.OnClose():
            return OnCloseOperator(node)
        case plan.LookupJoin():
            if lookups is None:
                raise InternalError("a lookup join needs lookup tables")
            return lookups(node)
        case plan.ReplicatedLookup():
            return ReplicatedLookupOperator(node)
        case plan.Unnest():
            return UnnestOperator(node)
        case plan.Recursion() if make_step is not None:
            return RecursionOperator(node, make_step)
        case plan.Scan() | plan.Recursion():
            raise InternalError(f"{type(node).__name__} has no operator here")
        case _:
            assert_never(node)


def exchange_keys(node: plan.AnyNode) -> tuple[tuple[int, ...] | None, ...]:
    """Per input: the key columns to exchange by, () for everything to one worker, None for no exchange."""
    match node:
        case plan.Aggregate() | plan.SessionAggregate() | plan.PaneAggregate() | plan.TopN() | plan.Over():
            return (node.keys,)
        case plan.SessionAssign():
            return (node.partition,)
        case plan.Recompute():
            return node.keys
        case plan.Join():
            return (node.left_keys, node.right_keys)
        case plan.Asof():
            return (node.match.left_keys, node.match.right_keys)
        case plan.LookupJoin():
            return (node.input_keys,)
        case plan.ReplicatedLookup():
            return (node.side_keys, node.input_keys)
        case plan.OnClose():
            return (tuple(range(len(node.schema))),)
        case plan.Recursion():
            return tuple(() for _ in node.children)
        case _:
            return tuple(None for _ in node.children)
