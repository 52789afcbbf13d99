"""Which accumulator serves a measure."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.types as pt

from constellationdb.engine.aggregates.accumulator import Accumulator
from constellationdb.engine.aggregates.bits import Bits
from constellationdb.engine.aggregates.extremes import Extreme
from constellationdb.engine.aggregates.moments import Regression, Variance
from constellationdb.engine.aggregates.objects import Objects
from constellationdb.engine.aggregates.sums import Count, DecimalSum, FloatSum, IntegerAverage, IntegerSum
from constellationdb.engine.aggregates.truths import Truth
from constellationdb.planner.plan import Measure


def make_accumulator(measure: Measure, argument: pa.DataType | None, output: pa.DataType, exact: bool) -> Accumulator:
    """``exact``: rows can be taken back, so sums of doubles must be taken back exactly."""
    match measure.kind:
        case "count":
            return Count()
        case "min" | "max":
            return Extreme(output, greatest=measure.kind == "max")
        case "bool_and" | "bool_or":
            return Truth(every=measure.kind == "bool_and")
        case "bit_and" | "bit_or" | "bit_xor":
            return Bits(output, measure.kind)
        case "var_samp" | "var_pop" | "stddev_samp" | "stddev_pop":
            return Variance(int(measure.kind.endswith("samp")), root=measure.kind.startswith("stddev"))
        case "sum" | "avg":
            return _sum(argument, output, exact, average=measure.kind == "avg")
        case "python":
            return Objects(measure.function)
        case _:
            return Regression(measure.kind, output)


def _sum(argument: pa.DataType | None, output: pa.DataType, exact: bool, average: bool) -> Accumulator:
    assert argument is not None
    if pt.is_decimal(argument):
        return DecimalSum(output)
    if pt.is_floating(argument):
        return FloatSum(exact, average)
    return IntegerAverage() if average else IntegerSum(output)
