"""Which key columns decide, where windows' starts and ends are among them."""

from __future__ import annotations

import pyarrow as pa
import pytest

from constellationdb.engine.operators.windowed import determining, determining_pairs
from constellationdb.planner import plan

_TIME = pa.timestamp("us")


def _schema(*types: pa.DataType) -> bytes:
    return plan.encode_schema(pa.schema([pa.field(f"c{i}", kind) for i, kind in enumerate(types)]))


def _windowed(first_id: int, size_us: int) -> plan.WindowAssign:
    """Columns: a key, a time, the window's start, its end."""
    scan = plan.Scan(id=first_id, schema_ipc=_schema(pa.int64(), _TIME), append_only=True, relation="t", columns=(0, 1))
    return plan.WindowAssign(
        id=first_id + 1, schema_ipc=_schema(pa.int64(), _TIME, _TIME, _TIME), append_only=True, input=scan,
        time_column=1, slide_us=size_us, size_us=size_us, offset_us=0, watermarked=True,
    )  # fmt: skip


def _grouped(node: plan.AnyNode, keys: tuple[int, ...]) -> plan.Aggregate:
    schema = _schema(*(node.schema.field(k).type for k in keys))
    return plan.Aggregate(
        id=node.id + 1, schema_ipc=schema, append_only=True, input=node, keys=keys, measures=()
    )  # fmt: skip


def _chosen(node: plan.AnyNode, columns: tuple[int, ...]) -> plan.Fragment:
    schema = _schema(*(node.schema.field(c).type for c in columns))
    return plan.Fragment(
        id=node.id + 1, schema_ipc=schema, append_only=True, input=node, substrait=b"", weighted=False,
        passthrough=columns, shows="",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "places"),
    [((0, 2, 3), [0, 1]), ((3, 2), [1]), ((0, 3), [0, 1]), ((0, 2), [0, 1]), ((3, 0, 2, 3), [1, 2])],
)
def test_an_end_is_left_out_where_its_start_is_there(keys: tuple[int, ...], places: list[int]) -> None:
    assert determining(_grouped(_windowed(1, 10), keys)) == places


def test_columns_are_followed_through_projections_and_groups() -> None:
    turned = _chosen(_windowed(1, 10), (3, 0, 2))
    assert determining(_grouped(turned, (0, 1, 2))) == [1, 2]
    again = _grouped(_chosen(_grouped(turned, (2, 0, 1)), (1, 0)), (0, 1))
    assert determining(again) == [1]
    computed = _chosen(_windowed(1, 10), (-1, 0, 3))
    assert determining(_grouped(computed, (0, 1, 2))) == [0, 1, 2]


@pytest.mark.parametrize(
    ("sizes", "left", "right", "places"),
    [
        ((10, 10), (0, 2, 3), (0, 2, 3), [0, 1]),
        ((10, 10), (3, 0, 2), (3, 0, 2), [1, 2]),
        ((10, 20), (0, 2, 3), (0, 2, 3), [0, 1, 2]),  # equal starts, other ends
        ((10, 10), (0, 2, 3), (0, 3, 2), [0, 1, 2]),  # a start compared with an end
        ((10, 10), (0, 3), (0, 3), [0, 1]),
    ],
)
def test_a_join_compares_ends_unless_the_starts_settle_it(
    sizes: tuple[int, int], left: tuple[int, ...], right: tuple[int, ...], places: list[int]
) -> None:
    join = plan.Join(
        id=9, schema_ipc=_schema(), append_only=True, left=_windowed(1, sizes[0]), right=_windowed(5, sizes[1]),
        left_keys=left, right_keys=right, null_safe=(False,) * len(left), residual=None, shows="",
    )  # fmt: skip
    assert determining_pairs(join) == places
