"""Random DML in words that both sides read."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from random import Random
from typing import NamedTuple

from tests.properties.oracle.expressions import Expressions, Kind, Scope, Sql, kind_of
from tests.properties.oracle.tables import BASE
from tests.properties.postgres.tables import IDS, Stored, literal

_SET: tuple[Kind, ...] = ("int", "text", "bool", "date", "ts", "tstz", "f", "g")
# What a table says of each of its ``b``, so that no row finds two.
_GROUPED = "(SELECT b, max(c) AS c, max(s) AS s, bool_or(x) AS x, max(ts) AS ts, count(*) AS n FROM {} GROUP BY b) AS q"
_OF_GROUPS: Scope = tuple(
    Sql(f"q.{name}", f"q.{name}", kind)
    for name, kind in (("b", "int"), ("c", "int"), ("s", "text"), ("x", "bool"), ("ts", "ts"), ("n", "big"))
)


class Statement(NamedTuple):
    kind: str
    sql: str


def scope_of(stored: Stored) -> Scope:
    """The columns in sight; ``id`` and what was added are as small as ``b``."""
    return tuple(
        Sql(name, name, "int" if name in ("id", "added") else kind_of(name, kind)) for name, kind in stored.columns
    )


class Statements:
    def __init__(self, random: Random, stored: Mapping[str, Stored], epoch: int) -> None:
        self._random = random
        self._stored = stored
        self._now = BASE + datetime.timedelta(seconds=5 * epoch)

    def filled(self) -> list[Statement]:
        """Some rows for every table to begin with, of which CHECK may refuse one table's."""
        return [
            Statement("", f"INSERT INTO {stored.name} VALUES {self._rows(stored, 6)}")
            for stored in self._stored.values()
        ]

    def epoch(self) -> list[Statement]:
        """The statements between two comparisons: some alone, or a transaction that is committed or not."""
        written = [self._statement() for _ in range(self._random.choice((1, 1, 2, 3, 5)))]
        draw = self._random.random()
        if draw < 0.5:
            return written
        end = "ROLLBACK" if draw < 0.6 else "COMMIT"
        return [Statement("", "BEGIN"), *written, Statement(f"transaction {end.lower()}", end)]

    def _statement(self) -> Statement:
        stored = self._random.choice(list(self._stored.values()))
        makes = [self._insert] * 4 + [self._update] * 3 + [self._delete] * 3 + [self._insert_select]
        makes += [self._update_from, self._delete_using, self._merge, self._merge]
        if self._random.random() < 0.04:
            makes = [self._truncate]
        if stored.key:
            makes += [self._upsert] * 3
        return self._random.choice(makes)(stored)

    def _insert(self, stored: Stored) -> Statement:
        return Statement("INSERT", f"INSERT INTO {stored.name} VALUES {self._rows(stored)}")

    def _upsert(self, stored: Stored) -> Statement:
        into = f"INSERT INTO {stored.name} VALUES {self._rows(stored)} ON CONFLICT ({', '.join(stored.key)}) DO"
        if self._random.random() < 0.4:
            return Statement("ON CONFLICT DO NOTHING", f"{into} NOTHING")
        names = self._random.sample([c.name for c in stored.table.columns if c.name not in stored.key], 3)
        sets = [f"{names[0]} = excluded.{names[0]}", f"{names[1]} = {stored.name}.{names[1]}", f"{names[2]} = NULL"]
        listed = ", ".join(sets[: self._random.randint(1, 3)])
        where = f" WHERE {stored.name}.c IS DISTINCT FROM excluded.c" if self._random.random() < 0.3 else ""
        return Statement("ON CONFLICT DO UPDATE", f"{into} UPDATE SET {listed}{where}")

    def _rows(self, stored: Stored, count: int = 0) -> str:
        """Distinct keys within a statement, mostly."""
        count = count or self._random.choice((1, 1, 2, 4))
        rows = [stored.table.draw(self._random, self._now) for _ in range(count)]
        if stored.key == ("id",) and self._random.random() < 0.9:
            place = stored.table.places["id"]
            ids = self._random.sample(range(IDS), len(rows))
            rows = [(*row[:place], id_, *row[place + 1 :]) for row, id_ in zip(rows, ids, strict=True)]
        return ", ".join(stored.values(row) for row in rows)

    def _insert_select(self, stored: Stored) -> Statement:
        """Rows of a table again; with a primary key moved to others."""
        moved = {"id": f"id + {IDS}"} if "id" in stored.key else {"c": "c + 10"} if stored.key else {}
        shown = [moved.get(c.name, c.name) for c in stored.table.columns]
        where = self._where(stored)
        if stored.key:
            first = f"id < {IDS}" if "id" in stored.key else "c < 10"
            where = f"{where} AND {first} ON CONFLICT DO NOTHING" if where else f" WHERE {first}"
        return Statement(
            "INSERT SELECT", f"INSERT INTO {stored.name} SELECT {', '.join(shown)} FROM {stored.name}{where}"
        )

    def _update(self, stored: Stored) -> Statement:
        sets = self._sets(stored, scope_of(stored))
        return Statement("UPDATE", f"UPDATE {stored.name} SET {sets}{self._where(stored)}")

    def _sets(self, stored: Stored, scope: Scope) -> str:
        """Columns that are neither of the key nor computed, as what is in sight says or as drawn."""
        made = Expressions(self._random, scope)
        able = [c for c in stored.table.columns if c.name not in stored.key]
        kinds = {c.ours: c.kind for c in scope_of(stored)}
        sets = []
        for column in self._random.sample(able, self._random.randint(1, 2)):
            if kinds[column.name] in _SET and self._random.random() < 0.5:
                sets.append(f"{column.name} = {made.of(kinds[column.name], 1).ours}")
            else:
                sets.append(f"{column.name} = {literal(column.draw(self._random), column.type)}")
        return ", ".join(sets)

    def _beside(self, stored: Stored) -> Scope:
        """A table's columns and those of the groups ``q``, all by their full names."""
        return (*(Sql(f"{stored.name}.{c.ours}", "", c.kind) for c in scope_of(stored)), *_OF_GROUPS)

    def _other(self) -> str:
        return _GROUPED.format(self._random.choice(list(self._stored)))

    def _update_from(self, stored: Stored) -> Statement:
        scope = self._beside(stored)
        sql = f"UPDATE {stored.name} SET {self._sets(stored, scope)} FROM {self._other()} WHERE {stored.name}.b = q.b"
        return Statement("UPDATE FROM", f"{sql}{self._and(scope)}")

    def _delete_using(self, stored: Stored) -> Statement:
        using, key = self._other(), self._random.choice(("b", "c"))
        sql = f"DELETE FROM {stored.name} USING {using} WHERE {stored.name}.{key} = q.{key} AND q.n < 2"
        return Statement("DELETE USING", f"{sql}{self._and(self._beside(stored))}")

    def _merge(self, stored: Stored) -> Statement:
        scope = self._beside(stored)
        matched = [f"WHEN MATCHED{self._and(scope)} THEN UPDATE SET {self._sets(stored, scope)}"]
        if self._random.random() < 0.5:
            matched.insert(0, f"WHEN MATCHED{self._and(scope, always=True)} THEN DELETE")
        if self._random.random() < 0.6:
            drawn = stored.table.draw(self._random, self._now)
            values = [literal(v, c.type) for v, c in zip(drawn, stored.table.columns, strict=True)]
            values = ["q.b" if c.name == "b" else v for v, c in zip(values, stored.table.columns, strict=True)]
            if "id" in stored.key:
                values[stored.table.places["id"]] = (
                    f"CAST(coalesce(q.b, -1) + {100 * self._random.randint(1, 9)} AS int)"
                )
            names = ", ".join(c.name for c in stored.table.columns)
            matched.append(f"WHEN NOT MATCHED AND q.n < 3 THEN INSERT ({names}) VALUES ({', '.join(values)})")
        sql = f"MERGE INTO {stored.name} USING {self._other()} ON {stored.name}.b = q.b {' '.join(matched)}"
        return Statement("MERGE", sql)

    def _and(self, scope: Scope, *, always: bool = False) -> str:
        if not always and self._random.random() < 0.5:
            return ""
        return f" AND ({Expressions(self._random, scope).condition(1).ours})"

    def _delete(self, stored: Stored) -> Statement:
        return Statement("DELETE", f"DELETE FROM {stored.name}{self._where(stored) or ' WHERE b < 4'}")

    def _truncate(self, stored: Stored) -> Statement:
        return Statement("TRUNCATE", f"TRUNCATE {stored.name}")

    def _where(self, stored: Stored) -> str:
        if self._random.random() < 0.15:
            return ""
        return f" WHERE ({Expressions(self._random, scope_of(stored)).condition(1).ours})"
