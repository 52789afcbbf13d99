"""The lookup side of a join: its own conjuncts, and the stream of changes when a copy of it is kept here."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
from substrait.proto import Expression

from constellationdb.planner import arithmetic, plan
from constellationdb.planner.lower.condition import conjunction
from constellationdb.planner.lower.core import Lowering
from constellationdb.planner.lower.keys import with_keys
from constellationdb.planner.lower.predicates import show, to_predicate
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.shuttle import Shuttle, field, remap, select


@dataclass(frozen=True)
class Own:
    """The lookup side's own conjuncts: what the source's language can say, and what only we can."""

    pushed: list[plan.PushedPredicate]
    shown: list[str]
    local: list[Expression]


def split_own(shuttle: Shuttle, schema: pa.Schema, conjuncts: list[Expression]) -> Own:
    own = Own([], [], [])
    for conjunct in conjuncts:
        predicate = to_predicate(shuttle, conjunct, schema)
        if predicate is None:
            own.local.append(conjunct)
        else:
            own.pushed.append(predicate)
            own.shown.append(show(predicate))
    return own


def keep_copy(
    lowering: Lowering,
    relation: PlannedRelation,
    columns: list[int],
    conjuncts: list[Expression],
    keys: list[Expression],
    visible: int,
) -> tuple[plan.AnyNode, list[int]]:
    """The changes of the copy: the first ``visible`` of ``columns`` of the rows that pass the conjuncts, then keys.

    ``keys`` are over ``columns``, of which a join puts out those it compares. The second result is where they stand.
    """
    scanned = sorted(set(columns))
    place = {column: j for j, column in enumerate(scanned)}
    side = lowering.build.stream(lowering.scan(relation, scanned))
    if conjuncts:
        parts = [remap(part, lambda i: place[columns[i]]) for part in conjuncts]
        arithmetic.check(lowering.shuttle, lowering.build.source(side), side.width, parts)
        test = conjunction(lowering.shuttle, parts)
        side = lowering.build.filter(side, lambda chain: select(chain, test))
    side = lowering.build.project(side, [field(place[column]) for column in columns[:visible]])
    side, side_keys = with_keys(lowering, side, keys)
    return lowering.build.finish(side), side_keys


def named(stream: pa.Schema, table: pa.Schema) -> pa.Schema:
    """Both sides under names EXPLAIN can show: c0, c1, … for the stream, the table's own."""
    taken: set[str] = set(stream.names)
    fields = list(stream)
    for i, each in enumerate(table, len(stream)):
        fields.append(pa.field(f"c{i}" if each.name in taken else each.name, each.type))
        taken.add(fields[-1].name)
    return pa.schema(fields)
