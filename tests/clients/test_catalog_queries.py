"""What clients ask of the catalog, answered here as by a real Postgres that holds the same schema."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from constellationdb.engine.engine import Engine
from constellationdb.server.listener import Server
from tests.clients.catalog_corpus import Answer, Asked, Statement, comparable, statements
from tests.postgres_fixture import start_postgres

# Statements that are not answered as Postgres answers them, and why.
_FAILS: dict[str, str] = {}


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
    return pytest.param(statement, id=statement.id, marks=marks)


@pytest.mark.parametrize("statement", map(_marked, statements()))
def test_the_answer_is_postgres_own(statement: Statement, postgres: Asked, here: Asked) -> None:
    ours, theirs = here.ask(statement.text), postgres.ask(statement.text)
    assert comparable(ours) == comparable(theirs)


def test_the_corpus_has_answers_to_compare(postgres: Asked) -> None:
    """Masks must not leave nothing: most statements have rows on Postgres, and few are errors there."""
    answers: list[tuple[Statement, Answer]] = [(s, postgres.ask(s.text)) for s in statements()]
    assert sum(answer.error is not None for _, answer in answers) <= 2
    assert sum(bool(comparable(answer).rows) for s, answer in answers) > 0.6 * len(answers)
