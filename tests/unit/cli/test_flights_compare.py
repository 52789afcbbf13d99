"""Answers as multisets: what counts as a difference."""

import pytest

from constellationdb.cli.flights.compare import compare

ROWS = [("EWR", 1, 2.5), ("EWR", 1, 2.5), ("JFK", None, 1e9), ("LGA", 3, None)]


def test_the_same_rows_in_another_order_agree() -> None:
    verdict = compare("v", ROWS, ROWS[::-1])
    assert verdict.ok
    assert verdict.rows == 4


def test_floats_may_differ_in_their_tenth_digit_only() -> None:
    assert compare("v", [("a", 1.0)], [("a", 1.0 + 5e-10)]).ok
    assert not compare("v", [("a", 1.0)], [("a", 1.0 + 5e-9)]).ok


@pytest.mark.parametrize(
    ("found", "count", "example"),
    [
        (ROWS[1:], 1, "missing (EWR, 1, 2.5)"),
        ([*ROWS, ("EWR", 1, 2.5)], 1, "unexpected (EWR, 1, 2.5)"),
        ([("EWR", 1, 2.5), ("EWR", 2, 2.5), *ROWS[2:]], 2, "missing (EWR, 1, 2.5)"),
        ([*ROWS[:2], ("JFK", None, None), ROWS[3]], 2, "missing (JFK, NULL, 1000000000.0)"),
        ([*ROWS[:2], ("JFK", None, 1e9), ("LGA", 3, 0.0)], 2, "missing (LGA, 3, NULL)"),
    ],
)
def test_each_row_that_only_one_side_has_is_a_difference(
    found: list[tuple[object, ...]], count: int, example: str
) -> None:
    verdict = compare("v", ROWS, found)
    assert verdict.differences == count
    assert verdict.examples[0] == example


def test_close_floats_are_paired_once_each() -> None:
    wanted = [("a", 1.0), ("a", 2.0), ("a", 3.0)]
    assert compare("v", wanted, [("a", 2.0), ("a", 3.0), ("a", 1.0)]).ok
    assert compare("v", wanted, [("a", 2.0), ("a", 2.0), ("a", 3.0)]).differences == 2
