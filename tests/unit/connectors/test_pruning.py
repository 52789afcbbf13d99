"""Row groups are skipped by their statistics only when no row of theirs can match."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings

from constellationdb.connectors.api import LookupPredicate
from constellationdb.connectors.predicates import evaluate, show
from constellationdb.connectors.pruning import Bounds, group_bounds, may_hold_keys, may_match, sorted_keys
from tests.unit.connectors import lookup_cases as cases

Group = tuple[pa.Table, dict[str, Bounds]]


@pytest.fixture(scope="module")
def groups(tmp_path_factory: pytest.TempPathFactory) -> list[Group]:
    """Groups of four rows: small enough to have narrow bounds, all NULL, or one value only."""
    path = tmp_path_factory.mktemp("groups") / "a.parquet"
    table = cases.table()
    pq.write_table(table, path, row_group_size=4)
    metadata = pq.read_metadata(path)
    return [(table.slice(4 * i, 4), group_bounds(metadata, i, table.schema)) for i in range(metadata.num_row_groups)]


@settings(max_examples=300, deadline=None)
@given(predicate=cases.predicates())
def test_a_group_with_a_match_is_never_skipped(groups: list[Group], predicate: LookupPredicate) -> None:
    for rows, bounds in groups:
        assert set(bounds) == set(cases.SCHEMA.names)
        if evaluate(rows, [predicate]).num_rows:
            assert may_match(bounds[predicate.column], predicate), show(predicate)


@pytest.mark.parametrize(
    ("column", "op", "value", "kept"),
    [
        ("id", "=", 9, 1), ("id", "<", 9, 3), ("id", "<=", 8, 3), ("id", "<", 8, 2), ("id", ">", 51, 2),
        ("id", ">=", 51, 3), ("id", "<>", 9, 15), ("part", "=", "p9", 0), ("part", ">", "p2", 0),
    ],
)  # fmt: skip
def test_groups_out_of_range_are_skipped(groups: list[Group], column: str, op: str, value: object, kept: int) -> None:
    predicate = LookupPredicate(column, op, (pa.scalar(value),))  # type: ignore[arg-type]
    assert sum(may_match(bounds[column], predicate) for _, bounds in groups) == kept


def test_a_group_of_one_value_is_skipped_for_another() -> None:
    one = Bounds(7, 7, nulls=0, rows=4)
    assert not may_match(one, LookupPredicate("x", "<>", (pa.scalar(7),)))
    assert may_match(Bounds("a", "a", 0, 4, exact=False), LookupPredicate("x", "<>", (pa.scalar("a"),)))
    assert not may_match(Bounds(None, None, nulls=4, rows=4), LookupPredicate("x", "is not null"))
    assert may_match(Bounds(None, None, nulls=None, rows=4), LookupPredicate("x", "is null"))
    assert may_match(Bounds(None, None, nulls=None, rows=4), LookupPredicate("x", "=", (pa.scalar(1),)))


def test_keys_between_the_bounds_are_looked_for() -> None:
    bounds = {"id": Bounds(10, 20, 0, 4), "x": Bounds(0.0, 1.0, 0, 4, floating=True)}
    assert may_hold_keys(bounds, sorted_keys(cases.single_keys(3, 20, 99)))
    assert not may_hold_keys(bounds, sorted_keys(cases.single_keys(3, 21, 9)))
    nan = pa.record_batch({"x": pa.array([5.0, float("nan")], from_pandas=False)})
    assert may_hold_keys(bounds, sorted_keys(nan))
