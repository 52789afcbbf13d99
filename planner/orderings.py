"""Aggregates that want their rows in different orders: one aggregate per order, joined by their groups.

DataFusion feeds all calls of an aggregate one order of rows, and refuses ``string_agg(a ORDER BY b)``
beside ``string_agg(a ORDER BY c)``.
"""

from __future__ import annotations

from substrait.proto import AggregateRel, Expression, FunctionArgument, JoinRel, Rel

from constellationdb.planner.shuttle import Shuttle, field, project


def split_orders(shuttle: Shuttle, rel: Rel) -> Rel:
    """The aggregate ``rel``, or a join with the same columns where its calls disagree about the order."""
    body = rel.aggregate
    groups = _by_order(body)
    if len(groups) < 2 or len(body.groupings) > 1:
        return rel
    keys = len(body.grouping_expressions)
    joined, width, places = Rel(), 0, dict[int, int]()
    for members in groups:
        part = Rel()
        part.CopyFrom(rel)
        del part.aggregate.measures[:]
        part.aggregate.measures.extend(body.measures[i] for i in members)
        places |= {member: width + keys + j for j, member in enumerate(members)}
        joined = part if width == 0 else _join(shuttle, joined, part, [(k, width + k) for k in range(keys)])
        width += keys + len(members)
    outputs = [*range(keys), *(places[i] for i in range(len(body.measures)))]
    return project(joined, width, [field(i) for i in outputs])


def _by_order(body: AggregateRel) -> list[list[int]]:
    """The numbers of the calls that can share an aggregate; those that want no order go with the first."""
    found: dict[bytes, list[int]] = {}
    for number, measure in enumerate(body.measures):
        order = b"".join(sort.SerializeToString(deterministic=True) for sort in measure.measure.sorts)
        found.setdefault(order, []).append(number)
    free = found.pop(b"", [])
    groups = list(found.values())
    return [[*free, *groups[0]], *groups[1:]] if groups else [free]


def _join(shuttle: Shuttle, left: Rel, right: Rel, keys: list[tuple[int, int]]) -> Rel:
    """Both sides' rows of the same group; without keys both have one row."""
    joined = Rel()
    if not keys:
        joined.cross.left.CopyFrom(left)
        joined.cross.right.CopyFrom(right)
        return joined
    joined.join.left.CopyFrom(left)
    joined.join.right.CopyFrom(right)
    joined.join.type = JoinRel.JOIN_TYPE_INNER
    tests = [_same(shuttle, a, b) for a, b in keys]
    joined.join.expression.CopyFrom(tests[0] if len(tests) == 1 else _call(shuttle, "and", tests))
    return joined


def _same(shuttle: Shuttle, left: int, right: int) -> Expression:
    return _call(shuttle, "is_not_distinct_from", [field(left), field(right)])


def _call(shuttle: Shuttle, name: str, arguments: list[Expression]) -> Expression:
    made = Expression()
    made.scalar_function.function_reference = shuttle.anchor(name)
    made.scalar_function.arguments.extend(FunctionArgument(value=argument) for argument in arguments)
    return made
