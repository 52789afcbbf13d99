"""bit_xor(DISTINCT x) over the array of the different values: DataFusion's grouped one forgets the DISTINCT."""

from __future__ import annotations

from substrait.proto import AggregateFunction, Expression, FunctionArgument, Rel

from constellationdb.planner.functions import SUFFIX_OF
from constellationdb.planner.grouping import key_width
from constellationdb.planner.shuttle import Shuttle, field, project

Gathered = dict[int, str]  # columns of the aggregate that are arrays, and the function that folds them


def gather(shuttle: Shuttle, rel: Rel, source: Rel, source_width: int) -> Gathered:
    """Let the aggregate ``rel`` (inputs of ``source``) collect what ``fold`` is to combine, in place."""
    found: Gathered = {}
    for place, measure in enumerate(rel.aggregate.measures, key_width(rel.aggregate)):
        function = measure.measure
        distinct = function.invocation == AggregateFunction.AGGREGATION_INVOCATION_DISTINCT
        if not distinct or shuttle.function_name(function.function_reference) != "bit_xor":
            continue
        argument = function.arguments[0].value
        kind = shuttle.schema_of(project(source, source_width, [argument]), 1).types[0]
        function.function_reference = shuttle.anchor("array_agg")
        function.ClearField("output_type")
        found[place] = f"con_xor_{SUFFIX_OF[kind]}"
    return found


def fold(shuttle: Shuttle, rel: Rel, width: int, gathered: Gathered) -> Rel:
    """``rel`` with the combined value where ``gather`` put arrays."""
    if not gathered:
        return rel
    outputs = [_call(shuttle, gathered[i], field(i)) if i in gathered else field(i) for i in range(width)]
    return project(rel, width, outputs)


def _call(shuttle: Shuttle, name: str, argument: Expression) -> Expression:
    made = Expression()
    made.scalar_function.function_reference = shuttle.anchor(name)
    made.scalar_function.arguments.append(FunctionArgument(value=argument))
    return made
