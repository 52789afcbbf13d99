"""Wherever a conjunct is evaluated, the rows are those of the plain join: DuckDB's, over the same tables.

Each query runs over a replicated table, one asked by key that pushes, and one
that does not; the stream is a table whose rows come, change and go.
"""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import duckdb
import pytest

from constellationdb.embedded import Database
from tests.unit.lookups.conftest import Rows, eventually, rows

SEED = 20240613
VARIANTS = {"copied": "replicated", "pushing": "on-demand", "keeping": "on-demand', pushdown = 'disabled"}
DIM = [[k, f"k{k % 4}" if k % 5 else None, k % 3 if k % 7 else None, f"{'xy'[k % 2]}{k}"] for k in range(12)]
CONJUNCTS = [
    "d.n > 1", "d.cat = 'k1'", "d.cat IN ('k1', 'k2')", "d.n IS NULL", "d.n IS NOT NULL", "d.v LIKE 'x%'",
    "NOT (d.cat = 'k1')", "d.n = 1 OR d.n = 2", "d.n + 1 > 2", "d.cat <> 'k3'", "d.v >= 'x2'", "d.k <> 4",
    "s.price > 5", "s.tag IS NOT NULL", "s.price % 2 = 0", "d.n < s.price", "d.cat = 'k1' OR s.price > 6",
    "d.v = s.tag", "d.n IS NULL OR s.price < 3", "coalesce(d.n, 0) = 0", "s.k < 8",
]  # fmt: skip
KEYS = ["d.k = s.k", "s.big = d.k", "d.k = s.small", "d.k = s.exact", "d.k = s.real8", "s.k + 1 = d.k"]


@dataclass(frozen=True)
class Question:
    kind: str
    on: tuple[str, ...]
    where: tuple[str, ...]

    def sql(self, dim: str) -> str:
        where = f" WHERE {' AND '.join(f'({part})' for part in self.where)}" if self.where else ""
        on = " AND ".join(f"({part})" for part in self.on)
        return f"SELECT s.id, d.k, d.v, d.n FROM s {self.kind} JOIN {dim} d ON {on}{where}"


def questions(count: int) -> list[Question]:
    chance = random.Random(SEED)
    made = []
    for number in range(count):
        on = (KEYS[number % len(KEYS)], *chance.sample(CONJUNCTS, chance.randint(0, 2)))
        where = tuple(chance.sample(CONJUNCTS, chance.randint(0, 2)))
        made.append(Question(("LEFT", "INNER")[number % 2], on, where))
    return made


def stream_row(chance: random.Random, number: int) -> str:
    k = chance.choice(["NULL", *map(str, range(14))])
    exact = chance.choice([k, f"{k}.5" if k != "NULL" else k])
    big = chance.choice([k, "5000000000"])
    tag = chance.choice(["NULL", "'x2'", "'y3'", "'z'"])
    price = chance.choice(["NULL", *map(str, range(10))])
    return f"({number}, {k}, {big}, {k}, {exact}, {exact}, {price}, {tag})"


COLUMNS = "id int PRIMARY KEY, k int, big bigint, small smallint, exact numeric(10,1), real8 double precision, "
COLUMNS += "price int, tag text"


def same_as(wanted: Counter[Any]) -> Callable[[Rows], bool]:
    return lambda found: Counter(found) == wanted


def both(database: Database, duck: duckdb.DuckDBPyConnection, statement: str) -> None:
    database.execute(statement)
    duck.execute(statement)


@pytest.mark.parametrize("workers", [1, 3])
def test_every_way_gives_the_plain_join(workers: int) -> None:
    from constellationdb.embedded.local import LocalLink
    from constellationdb.engine.engine import Engine

    asked = questions(18 if workers == 1 else 6)
    with Engine(workers=workers) as engine, duckdb.connect() as duck:
        database = Database(LocalLink(engine))
        both(database, duck, f"CREATE TABLE s ({COLUMNS})")
        duck.execute("CREATE TABLE d (k int, cat text, n int, v text)")
        duck.executemany("INSERT INTO d VALUES (?, ?, ?, ?)", DIM)
        for name, strategy in VARIANTS.items():
            database.execute(
                f"CREATE LOOKUP TABLE {name} (k int PRIMARY KEY, cat text, n int, v text)"
                f" WITH (connector = 'inline', strategy = '{strategy}', rows = '{json.dumps(DIM)}')"
            )
            for number, question in enumerate(asked):
                database.execute(f"CREATE MATERIALIZED VIEW {name}_{number} AS {question.sql(name)}")
        chance = random.Random(SEED)
        both(database, duck, "INSERT INTO s VALUES " + ", ".join(stream_row(chance, n) for n in range(40)))
        both(database, duck, "DELETE FROM s WHERE id % 5 = 0")
        both(database, duck, "UPDATE s SET price = price + 1, k = k + 1 WHERE id % 3 = 0")
        both(database, duck, "INSERT INTO s VALUES " + ", ".join(stream_row(chance, n) for n in range(40, 60)))
        seen = 0
        for number, question in enumerate(asked):
            wanted = Counter(duck.execute(question.sql("d")).fetchall())
            seen += wanted.total()
            for name in VARIANTS:
                view = f"{name}_{number}"
                eventually(database, f"SELECT * FROM {view}", same_as(wanted))
        assert seen > 3 * len(asked)
        both(database, duck, "DELETE FROM s")
        for number in range(len(asked)):
            for name in VARIANTS:
                assert rows(database, f"SELECT * FROM {name}_{number}") == []
        assert rows(database, "SELECT count(*) FROM constellation.errors") == [(0,)]


def test_no_question_is_about_nothing() -> None:
    """The random conjuncts do split: some are pushed, some are not, some are on the stream, some on both."""
    used = [part for question in questions(18) for part in (*question.on[1:], *question.where)]
    assert len(set(used)) > 12


def test_only_what_is_needed_is_fetched_and_only_where_it_matters(database: Database) -> None:
    inline = f"WITH (connector = 'inline', strategy = 'on-demand', rows = '{json.dumps(DIM)}')"
    database.execute(f"CREATE LOOKUP TABLE d (k int PRIMARY KEY, cat text, n int, v text) {inline}")
    database.execute("CREATE SOURCE s (id int, k int, price int)")

    def told(query: str) -> dict[str, str]:
        """Of the lookup join, where each conjunct is evaluated."""
        lines = [row[0].strip() for row in rows(database, f"EXPLAIN {query}")]
        start = next(i for i, line in enumerate(lines) if "Lookup join" in line)
        block = itertools.takewhile(lambda line: not line.startswith("->"), lines[start + 1 :])
        pairs = [line.split("  ", 1) for line in block]
        split = ("join", "columns", "pushed", "after fetch", "asked if", "residual")
        return {name: text.strip() for name, text in pairs if name in split}

    where = "d.cat = 'k1' AND d.n + 1 > 2 AND s.price > 3"
    assert told(f"SELECT s.id, d.v FROM s JOIN d ON d.k = s.k WHERE {where}") == {
        "join": "inner", "columns": "k, v, n", "pushed": "cat = 'k1'", "after fetch": "n + 1 > 2",
    }  # fmt: skip
    assert told("SELECT s.id FROM s LEFT JOIN d ON d.k = s.k AND s.price > 3 AND d.n IN (1, 2)") == {
        "join": "left", "columns": "k", "pushed": "n IN (1, 2)", "asked if": "price > 3",
    }  # fmt: skip
    assert told("SELECT s.id FROM s LEFT JOIN d ON d.k = s.k AND d.n < s.price")["residual"] == "n < price"


def test_a_numeric_keeps_its_digits_wherever_it_is_compared(database: Database) -> None:
    """38 of them: more than Python's decimals keep when they calculate."""
    long = "1234567890123456789012345678.012345678"
    dim = f"[[1, {long}8], [2, {long}9], [3, {long}7]]"
    database.execute("CREATE TABLE s (id int PRIMARY KEY, k int)")
    database.execute("INSERT INTO s VALUES (1, 1), (2, 2), (3, 3)")
    for name, strategy in VARIANTS.items():
        database.execute(
            f"CREATE LOOKUP TABLE {name} (k int PRIMARY KEY, n numeric(38,10))"
            f" WITH (connector = 'inline', strategy = '{strategy}', rows = '{dim}')"
        )
        for number, test in enumerate((f"= {long}8", f"> {long}8", f"IN ({long}7, {long}9)", f"<> {long}9")):
            query = f"SELECT s.id FROM s JOIN {name} d ON d.k = s.k AND d.n {test}"
            database.execute(f"CREATE MATERIALIZED VIEW {name}_{number} AS {query}")
            wanted = {0: [(1,)], 1: [(2,)], 2: [(2,), (3,)], 3: [(1,), (3,)]}[number]
            eventually(database, f"SELECT * FROM {name}_{number} ORDER BY id", wanted.__eq__)


@pytest.mark.parametrize(
    ("join", "message"),
    [
        ("JOIN d ON d.k > s.k", 'the join with lookup table "d" does not give its key column "k"'),
        ("JOIN d ON d.v = s.tag", 'the join with lookup table "d" does not give its key column "k"'),
        ("CROSS JOIN d", 'the join with lookup table "d" does not give its key column "k"'),
        ("JOIN d ON d.k IS NOT DISTINCT FROM s.k", 'the join with lookup table "d" does not give its key column "k"'),
        ("JOIN d ON d.k = s.real8", 'key column "k" of lookup table "d" is compared as double precision'),
        ("RIGHT JOIN d ON d.k = s.k", 'a right join with lookup table "d" is not supported'),
        ("FULL JOIN d ON d.k = s.k", 'a full join with lookup table "d" is not supported'),
        ("WHERE s.k IN (SELECT k FROM d)", 'a semi join with lookup table "d" is not supported'),
    ],
)
def test_what_cannot_be_looked_up_is_refused(database: Database, join: str, message: str) -> None:
    import constellationdb

    database.execute("CREATE LOOKUP TABLE d (k bigint PRIMARY KEY, v text) WITH (connector = 'inline', rows = '[]')")
    database.execute("CREATE SOURCE s (k int, tag text, real8 double precision)")
    with pytest.raises(constellationdb.errors.ConstellationError, match=message.replace("(", r"\(")):
        database.execute(f"CREATE MATERIALIZED VIEW wrong AS SELECT s.tag FROM s {join}")
