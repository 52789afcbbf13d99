"""The nine predicates against a real Postgres: same table, same question, same rows."""

import math
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from constellationdb.connectors.api import LookupCapabilities, LookupPredicate
from constellationdb.connectors.postgres_lookup import PostgresLookup
from constellationdb.connectors.predicates import evaluate, show, split
from tests.unit.connectors import lookup_cases as cases

WHOLE = cases.single_keys(*range(60))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(cases.predicates(), min_size=1, max_size=2))
def test_answers_are_those_of_postgres(
    parts: PostgresLookup, case_table: pa.Table, predicates: list[LookupPredicate]
) -> None:
    there = parts.fetch(WHOLE, cases.SCHEMA.names, predicates).column("id").to_pylist()
    here = evaluate(case_table, predicates).column("id").to_pylist()
    assert sorted(there) == here, [show(each) for each in predicates]


@pytest.mark.parametrize(
    ("op", "value", "expected"),
    [
        ("=", math.nan, [1]),
        ("<", math.nan, [0, 2, 4]),
        ("<=", math.nan, [0, 1, 2, 4]),
        (">", math.nan, []),
        (">", math.inf, [1]),
        ("<>", 0.0, [0, 1]),
        ("=", -0.0, [2, 4]),
        ("in", math.nan, [1]),
    ],
)
def test_nan_is_the_greatest_and_zero_has_one_sign(op: str, value: float, expected: list[int]) -> None:
    table = pa.table({"i": range(5), "x": pa.array([1.5, math.nan, 0.0, None, -0.0], from_pandas=False)})
    predicate = LookupPredicate("x", op, (pa.scalar(value),))  # type: ignore[arg-type]
    assert evaluate(table, [predicate]).column("i").to_pylist() == expected


def test_numerics_too_wide_for_a_common_type_still_compare() -> None:
    wide = pa.table({"x": pa.array([Decimal(10) ** 27, Decimal(1)], pa.decimal128(38, 10))})
    tiny = pa.scalar(Decimal("1.00000000000000000001"), pa.decimal128(38, 37))
    assert evaluate(wide, [LookupPredicate("x", "<", (tiny,))]).num_rows == 1
    assert evaluate(wide, [LookupPredicate("x", ">", (tiny,))]).num_rows == 1


def test_an_integer_beside_a_double_is_a_double() -> None:
    table = pa.table({"x": [2**53 + 1]})
    assert evaluate(table, [LookupPredicate("x", "=", (pa.scalar(2.0**53),))]).num_rows == 1


def test_split_keeps_the_order_and_loses_nothing() -> None:
    asked = [
        LookupPredicate("a", "is null"),
        LookupPredicate("b", "=", (pa.scalar(1),)),
        LookupPredicate("c", "is null"),
    ]
    can = LookupCapabilities(predicates=frozenset({"is null"}))
    assert split(asked, can) == ([asked[0], asked[2]], [asked[1]])
    assert split(asked, LookupCapabilities()) == ([], asked)


def test_predicates_are_shown_as_sql() -> None:
    shown = [
        show(LookupPredicate("name", "=", (pa.scalar("it's"),))),
        show(LookupPredicate("qty", "in", (pa.scalar(1), pa.scalar(None, pa.int64())))),
        show(LookupPredicate("price", ">=", (pa.scalar(Decimal("1.50")),))),
        show(LookupPredicate("open", "<>", (pa.scalar(True),))),
        show(LookupPredicate("name", "is not null")),
    ]
    assert shown == ["name = 'it''s'", "qty in (1, NULL)", "price >= 1.50", "open <> true", "name is not null"]
