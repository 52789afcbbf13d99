"""Variables in statements, and the colons that are none."""

import pytest

from constellationdb.cli.shell.variables import expand, expand_argument

_SET = {"n": "5", "name": "it's", "t": "Odd one"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT :n + :n", "SELECT 5 + 5"),
        ("SELECT :'name'", "SELECT 'it''s'"),
        ('SELECT * FROM :"t"', 'SELECT * FROM "Odd one"'),
        ("SELECT a::n, ':n', \":n\", $$:n$$ -- :n", "SELECT a::n, ':n', \":n\", $$:n$$ -- :n"),
        ("SELECT :other, : n", "SELECT :other, : n"),
        ("SELECT ':n", "SELECT ':n"),
    ],
)
def test_in_a_statement(text: str, expected: str) -> None:
    assert expand(text, _SET) == expected


def test_behind_a_word() -> None:
    assert expand_argument("n is :n, a::n, :other", _SET) == "n is 5, a::n, :other"
