"""A view that calls users' functions says after every epoch what they say of the rows there are.

Rows come, change and go, with NULL keys, any number of them an epoch; the answers are computed here, by Python alone.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from constellationdb import Database, aggregate, connect, function

Row = tuple[int | None, int | None]

EPOCHS = 16
SEEDS = int(os.environ.get("CONSTELLATION_ORACLE_RUNS", "2"))


@function("bent(x int) RETURNS int")
def bent(x: int | None) -> int | None:
    return None if x is None or x % 5 == 0 else x * x - 3


@function("parts(x int) RETURNS TABLE (part int, rest int)")
def parts(x: int | None) -> list[tuple[int, int | None]]:
    return [(-1, None)] if x is None else [(part, x - part) for part in range(1, x, 2)]


@aggregate("digest(x int) RETURNS bigint")
class Digest:
    """Of all the values, NULLs too; not one that could be taken back."""

    def __init__(self) -> None:
        self.values: list[int] = []

    def accumulate(self, x: int | None) -> None:
        self.values.append(-1 if x is None else x)

    def finish(self) -> int:
        return digest(self.values)


@aggregate("kept(x int, y int) RETURNS bigint")
class Kept:
    """Told of every row, NULLs too, until it is taken back."""

    def __init__(self) -> None:
        self.total = 0

    def accumulate(self, x: int | None, y: int | None) -> None:
        self.total += weight(x, y)

    def retract(self, x: int | None, y: int | None) -> None:
        self.total -= weight(x, y)

    def finish(self) -> int:
        return self.total


def weight(x: int | None, y: int | None) -> int:
    return (-1 if x is None else x * x) * (3 if y is None else y + 5)


@aggregate("fussy(x int) RETURNS int STRICT", vectorised=True)
class Fussy:
    """With arrays; fails at elevens, and of no value at all where sevens are there."""

    def __init__(self) -> None:
        self.total, self.sevens = 0, 0

    def accumulate(self, x: pa.Array) -> None:
        if pc.any(pc.equal(x, 11)).as_py():
            raise ValueError("eleven")
        self._add(x, 1)

    def retract(self, x: pa.Array) -> None:
        self._add(x, -1)

    def _add(self, x: pa.Array, sign: int) -> None:
        self.total += sign * pc.sum(x).as_py()
        self.sevens += sign * pc.sum(pc.equal(x, 7).cast(pa.int64())).as_py()

    def finish(self) -> int:
        if self.sevens:
            raise ValueError("seven")
        return self.total


def fussy(values: Iterable[int | None]) -> int | None:
    found = [v for v in values if v is not None]
    return None if {7, 11} & set(found) else sum(found)


def digest(values: Iterable[int]) -> int:
    found = 7
    for value in sorted(values):
        found = (found * 31 + value) % 1_000_003
    return found


VIEWS = {
    "scalar": "SELECT k, bent(v) AS b FROM t",
    "filtered": "SELECT k, v FROM t WHERE bent(v) > 10",
    "in sql": "SELECT k, joint(v, k) AS b FROM t",
    "grouped": "SELECT k, digest(v) AS d, count(*) AS n FROM t GROUP BY k",
    "of a value": "SELECT digest(bent(v)) AS d FROM t GROUP BY bent(k)",
    "whole": "SELECT digest(v) FILTER (WHERE v > 3) AS d FROM t",
    "rows": "SELECT * FROM above(5)",
    "rows in python": "SELECT k, part, rest FROM t, parts(v)",
    "counted rows": "SELECT part, count(*) AS n FROM t, parts(bent(v)) GROUP BY part",
    "kept": "SELECT k, kept(v, k) AS d, count(*) AS n, kept(v, 2) FILTER (WHERE v > 3) AS f FROM t GROUP BY k",
    "kept whole": "SELECT kept(k, v) AS d FROM t",
    "kept and not": "SELECT k, kept(v, k) AS d, digest(v) AS e FROM t GROUP BY k",
    "fussy": "SELECT k, fussy(v) AS d FROM t GROUP BY k",
    "all rows": "SELECT v, part FROM t LEFT JOIN LATERAL parts(v) AS p ON p.rest > 2",
}


def answer(name: str, rows: list[Row]) -> Counter[tuple[Any, ...]]:
    def groups(key: Any) -> dict[Any, list[Row]]:
        found: dict[Any, list[Row]] = {}
        for row in rows:
            found.setdefault(key(row), []).append(row)
        return found

    def values(found: Iterable[int | None]) -> int:
        return digest(-1 if v is None else v for v in found)

    match name:
        case "scalar":
            return Counter((k, bent(v)) for k, v in rows)
        case "filtered":
            return Counter((k, v) for k, v in rows if (bent(v) or 0) > 10)
        case "in sql":
            return Counter((k, None if (b := bent(v)) is None else b + (0 if k is None else k)) for k, v in rows)
        case "grouped":
            return Counter((k, values(v for _, v in g), len(g)) for k, g in groups(lambda r: r[0]).items())
        case "of a value":
            return Counter((values(bent(v) for _, v in g),) for g in groups(lambda r: bent(r[0])).values())
        case "whole":
            return Counter([(values(v for _, v in rows if v is not None and v > 3),)])
        case "kept":
            return Counter(
                (k, sum(weight(v, w) for w, v in g), len(g), sum(weight(v, 2) for _, v in g if (v or 0) > 3))
                for k, g in groups(lambda r: r[0]).items()
            )
        case "kept whole":
            return Counter([(sum(weight(k, v) for k, v in rows),)])
        case "kept and not":
            found = groups(lambda r: r[0]).items()
            return Counter((k, sum(weight(v, w) for w, v in g), values(v for _, v in g)) for k, g in found)
        case "fussy":
            return Counter((k, fussy(v for _, v in g)) for k, g in groups(lambda r: r[0]).items())
        case "rows in python":
            return Counter((k, part, rest) for k, v in rows for part, rest in parts(v))
        case "counted rows":
            return Counter(Counter(part for _, v in rows for part, _ in parts(bent(v))).items())
        case "all rows":
            kept = [(v, [part for part, rest in parts(v) if rest is not None and rest > 2]) for _, v in rows]
            return Counter((v, part) for v, of_v in kept for part in (*of_v, *([] if of_v else [None])))
        case _:
            return Counter((k, v * 2) for k, v in rows if v is not None and v > 5)


def _change(database: Database, rows: list[Row], random: Random) -> list[Row]:
    """One epoch: rows that come, and rows by a value that change or go."""
    key, value = random.choice([(k or 0, v or 0) for k, v in rows] or [(0, 0)])
    match random.randrange(3):
        case 0:
            value = random.randrange(12)
            database.execute("UPDATE t SET v = $1 WHERE k = $2", (value, key))
            return [(k, value if k == key else v) for k, v in rows]
        case 1:
            database.execute("DELETE FROM t WHERE v = $1 OR (v IS NULL AND $1 = 0)", (value,))
            return [(k, v) for k, v in rows if v != value and not (v is None and value == 0)]
        case _:
            new: list[Row] = [
                (random.choice([None, 0, 1, 2, 3, 5]), random.choice([None, *range(12)]))
                for _ in range(random.randrange(1, 9))
            ]
            database.insert("t", new)
            return rows + new


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("workers", [1, 3])
def test_views_say_what_the_functions_say(seed: int, workers: int) -> None:
    random = Random(seed)
    with connect(workers=workers, functions=[bent, parts, Digest, Kept, Fussy]) as database:
        database.execute("CREATE TABLE t (k int, v int)")
        database.execute(
            "CREATE FUNCTION joint(a int, b int) RETURNS int LANGUAGE SQL RETURN bent(joint.a) + coalesce(b, 0);"
            " CREATE FUNCTION above(low int) RETURNS TABLE (k int, twice int) LANGUAGE SQL"
            " AS $$ SELECT k, v * 2 FROM t WHERE v > low $$"
        )
        for name, query in VIEWS.items():
            database.execute(f'CREATE MATERIALIZED VIEW "{name}" AS {query}')
        rows: list[Row] = []
        retracted = 0
        for _ in range(EPOCHS):
            before, rows = rows, _change(database, rows, random)
            retracted += len(list((Counter(before) - Counter(rows)).elements()))
            for name in VIEWS:
                found = Counter(database.sql(f'SELECT * FROM "{name}"').fetchall())
                assert found == answer(name, rows), f"{name}, seed {seed}, rows {rows}"
                errors = database.sql(f'SELECT * FROM "{name}_errors"').fetchall()
                failing = [v for _, v in answer(name, rows) if v is None] if name == "fussy" else []
                assert len(errors) == len(failing), f"{name}, seed {seed}, rows {rows}"
    assert retracted, "nothing was ever taken back"
