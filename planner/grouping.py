"""What an aggregate puts out before its measures.

With several grouping sets DataFusion writes a key once for every set that has
it, and puts out each different key once, then a number whose bits say which of
them are left out: the first key's bit is the highest.
"""

from __future__ import annotations

from substrait.proto import AggregateRel, Expression


def keys_of(body: AggregateRel) -> list[Expression]:
    """The different keys, in the order in which they come out."""
    if len(body.groupings) < 2:
        return list(body.grouping_expressions)
    keys: list[Expression] = []
    for expression in body.grouping_expressions:
        if expression not in keys:
            keys.append(expression)
    return keys


def key_width(body: AggregateRel) -> int:
    """How many columns stand before the measures."""
    return len(keys_of(body)) + (len(body.groupings) > 1)


def sets_of(body: AggregateRel) -> list[list[int]]:
    """The grouping sets, as places among ``keys_of``."""
    keys = keys_of(body)
    return [[keys.index(body.grouping_expressions[i]) for i in g.expression_references] for g in body.groupings]
