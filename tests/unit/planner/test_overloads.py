"""Which of several functions a call means, where Postgres' rules leave one, and where they leave none or several."""

from __future__ import annotations

import pytest

from constellationdb.catalog.model import Function, Parameter
from constellationdb.errors import AmbiguousFunction, SqlSyntaxError, UndefinedFunction
from constellationdb.planner.analysis.overloads import Given, choose


def of(*types: str, names: str = "abc", optional: int = 0) -> Function:
    first = len(types) - optional
    parameters = [Parameter(names[i], kind, "1" if i >= first else None) for i, kind in enumerate(types)]
    return Function("f", tuple(parameters), "text", "sql")


def chosen(functions: list[Function], *given: str | tuple[str, str]) -> tuple[str, ...]:
    arguments = [Given(g[0], g[1]) if isinstance(g, tuple) else Given(None, g) for g in given]
    return choose(functions, "f", arguments, 1).function.types


INTEGER, BIGINT, DOUBLE, TEXT, DATE = "integer", "bigint", "double precision", "text", "date"
ZONED = "timestamp with time zone"


@pytest.mark.parametrize(
    ("declared", "given", "expected"),
    [
        ([of(INTEGER), of(BIGINT)], ["smallint"], None),
        ([of(INTEGER), of(BIGINT)], [INTEGER], (INTEGER,)),
        ([of(BIGINT), of(DOUBLE)], [INTEGER], (DOUBLE,)),
        ([of(INTEGER), of(TEXT)], ["unknown"], (TEXT,)),
        ([of(DATE), of(ZONED)], ["timestamp without time zone"], (ZONED,)),
        ([of(INTEGER, BIGINT), of(BIGINT, INTEGER)], [INTEGER, INTEGER], None),
        ([of(INTEGER), of(INTEGER, INTEGER, optional=1)], [INTEGER], (INTEGER,)),
        ([of(INTEGER, TEXT, optional=1)], [("b", TEXT), ("a", INTEGER)], (INTEGER, TEXT)),
    ],
)
def test_the_types_decide(declared: list[Function], given: list[str], expected: tuple[str, ...] | None) -> None:
    if expected is None:
        with pytest.raises(AmbiguousFunction):
            chosen(declared, *given)
    else:
        assert chosen(declared, *given) == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["text"], "function f(text) does not exist"),
        ([], "function f() does not exist"),
        ([INTEGER, INTEGER], "function f(integer, integer) does not exist"),
        ([("z", INTEGER)], "function f(z => integer) does not exist"),
    ],
)
def test_what_fits_none(given: list[str], message: str) -> None:
    with pytest.raises(UndefinedFunction) as caught:
        chosen([of(INTEGER)], *given)
    assert caught.value.message == message


def test_names_come_last_and_once() -> None:
    with pytest.raises(SqlSyntaxError, match="positional argument cannot follow named argument"):
        chosen([of(INTEGER, INTEGER)], ("a", INTEGER), INTEGER)
    with pytest.raises(SqlSyntaxError, match='argument name "a" used more than once'):
        chosen([of(INTEGER, INTEGER)], ("a", INTEGER), ("a", INTEGER))
