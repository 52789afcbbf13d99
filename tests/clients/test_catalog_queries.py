"""What clients ask of the catalog, answered here as by a real Postgres that holds the same schema."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from constellationdb.engine.engine import Engine
from constellationdb.server.listener import Server
from tests.clients.catalog_corpus import Answer, Asked, Statement, comparable, statements
from tests.postgres_fixture import start_postgres

_SYSTEM_COLUMNS = "ctid and its like have no rows in pg_attribute, and the oracle's own catalogs are of version 16"
_FUNCTIONS = "pg_proc lists the functions that are here"
_NO_TEXT_SEARCH = "there is no text search"
_SETTINGS = "the settings are those that are here"
# Statements that are not answered as Postgres answers them, and why.
_FAILS = {
    "adbc-2": _SYSTEM_COLUMNS,
    "pgcli-10": _FUNCTIONS,
    "pgjdbc-27": _FUNCTIONS,
    "pgjdbc-35": "the oracle's keywords are those of version 16",
    "pgjdbc-36": "a transaction is at least a repeatable read",
    "psql-completion-6": _FUNCTIONS,
    "psql-completion-10": "the owner's name is the product's",
    "psql-completion-13": _FUNCTIONS,
    "psql-completion-14": _SETTINGS,
    "psql-completion-15": _SETTINGS,
    "psql-83": "string_agg() without ORDER BY takes the rows in another order",
    "psql-86": _NO_TEXT_SEARCH,
    "psql-87": _NO_TEXT_SEARCH,
    "psql-88": _NO_TEXT_SEARCH,
    "psql-89": _NO_TEXT_SEARCH,
    "psql-103": _SETTINGS,
    "tools-7": "information_schema has materialized views, too",
}
# Whether these are answered alike depends on the machine.
_MAY_DIFFER = {
    "asyncpg-5": "LIMIT 1 without ORDER BY may give any row",
    "psql-completion-16": "the time zones are those that Python finds",
}


@pytest.fixture(scope="module")
def postgres() -> Iterator[Asked]:
    with start_postgres() as dsn:
        asked = Asked(dsn)
        asked.make()
        yield asked
        asked.close()


@pytest.fixture(scope="module")
def here() -> Iterator[Asked]:
    """An engine of its own: other tests' tables would be in every list."""
    with Engine() as engine, Server(engine, port=0) as server:
        host, port = server.address
        asked = Asked(f"host={host} port={port} user=constellation dbname=constellation")
        asked.make()
        yield asked
        asked.close()


def _marked(statement: Statement) -> object:
    reason = _FAILS.get(statement.id)
    marks = [] if reason is None else [pytest.mark.xfail(strict=True, reason=reason)]
    if statement.id in _MAY_DIFFER:
        marks.append(pytest.mark.skip(reason=_MAY_DIFFER[statement.id]))
    return pytest.param(statement, id=statement.id, marks=marks)


@pytest.mark.parametrize("statement", [_marked(statement) for statement in statements()])
def test_the_answer_is_postgres_own(statement: Statement, postgres: Asked, here: Asked) -> None:
    ours, theirs = here.ask(statement.text), postgres.ask(statement.text)
    assert comparable(ours) == comparable(theirs)


def test_the_corpus_has_answers_to_compare(postgres: Asked) -> None:
    """Masks must not leave nothing: most statements have rows on Postgres, and few are errors there."""
    answers: list[tuple[Statement, Answer]] = [(s, postgres.ask(s.text)) for s in statements()]
    assert sum(answer.error is not None for _, answer in answers) <= 2
    assert sum(bool(comparable(answer).rows) for s, answer in answers) > 0.6 * len(answers)
