"""Which equalities of a lookup join's condition give the table's primary key.

An equality of a key column with an expression over the stream gives it, also
when the column was cast to a wider type to be compared: the cast must keep all
its values apart, or one key asked for could mean several rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.types as pt
from substrait.proto import Expression

from constellationdb.catalog.types import of_arrow
from constellationdb.errors import InvalidDefinition
from constellationdb.planner.lower.condition import Condition, conjunction, equality, positional
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.shuttle import Shuttle, field_index, fields_used, project, remap

_DIGITS = {8: 3, 16: 5, 32: 10, 64: 19}


@dataclass(frozen=True)
class LookupKeys:
    """The key equalities, column by column of the primary key, and the conjuncts that are none."""

    inputs: list[Expression]  # over the stream
    columns: list[Expression]  # over the lookup side: a key column, or its cast
    tables: list[str]
    stream: list[Expression]  # conjuncts of LEFT JOIN … ON over the stream alone
    residual: list[Expression]  # over both

    def gated(self, shuttle: Shuttle) -> list[Expression]:
        """The key expressions, the first of them NULL, which asks nothing, where a stream conjunct is not true."""
        if not self.stream:
            return self.inputs
        gate = Expression()
        clause = gate.if_then.ifs.add()
        getattr(clause, "if").CopyFrom(conjunction(shuttle, self.stream))
        clause.then.CopyFrom(self.inputs[0])
        return [gate, *self.inputs[1:]]


def find_keys(
    shuttle: Shuttle, relation: PlannedRelation, columns: pa.Schema, condition: Condition, width: int, *, left: bool
) -> LookupKeys:
    """``columns`` are the lookup side's; ``width`` how many the stream has. Every other equality is residual."""
    given: dict[str, tuple[Expression, Expression]] = {}
    blurred: dict[str, pa.DataType] = {}
    others: list[Expression] = []
    for mine, theirs, null_safe in zip(condition.left, condition.right, condition.null_safe, strict=True):
        name = _column_of(theirs, columns)
        if name in relation.primary_key and name not in given and not null_safe:
            compared = _type_of(shuttle, columns, theirs)
            if _keeps_apart(relation.schema.field(name).type, compared):
                given[name] = (mine, theirs)
                continue
            blurred[name] = compared
        others.append(equality(shuttle, mine, remap(theirs, lambda i: i + width), null_safe))
    for name in relation.primary_key:
        if name not in given:
            raise _missing(relation, name, blurred.get(name))
    pairs = [given[name] for name in relation.primary_key]
    apart = [part for part in condition.residual if left and all(i < width for i in fields_used(part))]
    others += [part for part in condition.residual if part not in apart]
    return LookupKeys([a for a, _ in pairs], [b for _, b in pairs], list(relation.primary_key), apart, others)


def _column_of(expression: Expression, columns: pa.Schema) -> str | None:
    """The column that an expression is, or is a cast of."""
    while expression.WhichOneof("rex_type") == "cast":
        expression = expression.cast.input
    index = field_index(expression)
    return None if index is None else columns.field(index).name


def _type_of(shuttle: Shuttle, columns: pa.Schema, expression: Expression) -> pa.DataType:
    source = shuttle.slot(0, positional(columns))
    return shuttle.schema_of(project(source, len(columns), [expression]), 1).field(0).type


def _missing(relation: PlannedRelation, name: str, compared: pa.DataType | None) -> InvalidDefinition:
    detail = f"its primary key is ({', '.join(relation.primary_key)})"
    if compared is None:
        return InvalidDefinition(
            f'the join with lookup table "{relation.name}" does not give its key column "{name}"',
            detail=detail,
            hint=f"add AND {relation.name}.{name} = … to the join condition",
        )
    own = of_arrow(relation.schema.field(name).type).name
    return InvalidDefinition(
        f'key column "{name}" of lookup table "{relation.name}" is compared as {of_arrow(compared).name},'
        " in which different keys may be equal",
        detail=detail,
        hint=f"cast the other side: {relation.name}.{name} = (…)::{own}",
    )


def _keeps_apart(have: pa.DataType, want: pa.DataType) -> bool:
    """Whether a cast maps different values to different values."""
    if have == want or (_is_text(have) and _is_text(want)):
        return True
    if pt.is_integer(have):
        if pt.is_integer(want):
            return bool(want.bit_width >= have.bit_width)
        if pt.is_decimal(want):
            return bool(want.precision - want.scale >= _DIGITS[have.bit_width])
        return bool((pt.is_float64(want) and have.bit_width <= 32) or (pt.is_float32(want) and have.bit_width <= 16))
    if pt.is_decimal(have) and pt.is_decimal(want):
        return bool(want.scale >= have.scale and want.precision - want.scale >= have.precision - have.scale)
    if pt.is_float32(have):
        return bool(pt.is_float64(want))
    return bool(pt.is_date32(have) and pt.is_timestamp(want))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind))
