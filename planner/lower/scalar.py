"""Uncorrelated scalar subqueries: joined to every row as one more column.

DataFusion leaves ``(SELECT avg(b) FROM u)`` as an expression to be evaluated once;
here it changes with ``u``, so it becomes a left join on TRUE. Only subqueries that
cannot give two rows pass: a global aggregate under filters and projections.
"""

from __future__ import annotations

from typing import Any

from substrait.proto import Expression, Rel

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.lower.condition import Condition
from constellationdb.planner.lower.core import Lowering
from constellationdb.planner.lower.join import Sides, join_streams
from constellationdb.planner.lower.stream import Stream
from constellationdb.planner.shuttle import field, visit


def expand_scalars(lowering: Lowering, stream: Stream, holder: Any) -> Stream:
    """The stream with a column appended for each scalar subquery in ``holder``, which now refers to it."""
    links: list[Expression] = []

    def collect(expression: Expression) -> None:
        if expression.WhichOneof("rex_type") == "subquery":
            links.append(expression)

    visit(holder, collect)
    for link in links:
        query = link.subquery.scalar.input
        if link.subquery.WhichOneof("subquery_type") != "scalar" or not _one_row(query):
            raise FeatureNotSupported(
                "this subquery is not supported in a continuous query",
                hint="a scalar subquery must be an aggregate without GROUP BY; write others as joins",
            )
        value = lowering.lower(query)
        column = field(stream.width)
        stream = join_streams(
            lowering, "left", Sides(stream, value, [], [], (stream.width, 1)), Condition([], [], [], [])
        )
        link.CopyFrom(column)
    return stream


def _one_row(rel: Rel) -> bool:
    kind = rel.WhichOneof("rel_type")
    if kind in ("project", "filter"):
        return _one_row(getattr(rel, kind).input)
    return kind == "aggregate" and not rel.aggregate.grouping_expressions
