"""Random DML in words that both sides read."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from random import Random

from tests.properties.oracle.expressions import Expressions, Kind, Scope, Sql, kind_of
from tests.properties.oracle.tables import BASE
from tests.properties.postgres.tables import IDS, Stored, literal

_SET: tuple[Kind, ...] = ("int", "text", "bool", "date", "ts", "f", "g")


def scope_of(stored: Stored) -> Scope:
    """The columns in sight; ``id`` is as small as ``b``."""
    return tuple(
        Sql(c.name, c.name, "int" if c.name == "id" else kind_of(c.name, c.type)) for c in stored.table.columns
    )


class Statements:
    """``kinds``: what was written, by name."""

    def __init__(self, random: Random, stored: Mapping[str, Stored], epoch: int) -> None:
        self._random = random
        self._stored = stored
        self._now = BASE + datetime.timedelta(seconds=5 * epoch)
        self.kinds: list[str] = []

    def epoch(self) -> list[str]:
        """The statements between two comparisons: some alone, or a transaction that is committed or not."""
        written = [self._statement() for _ in range(self._random.choice((1, 1, 2, 3, 5)))]
        draw = self._random.random()
        if draw < 0.5:
            return written
        end = "ROLLBACK" if draw < 0.6 else "COMMIT"
        self.kinds.append(f"transaction {end.lower()}")
        return ["BEGIN", *written, end]

    def _statement(self) -> str:
        stored = self._random.choice(list(self._stored.values()))
        makes = [self._insert] * 6 + [self._update] * 3 + [self._delete] * 2 + [self._insert_select]
        if self._random.random() < 0.04:
            makes = [self._truncate]
        if stored.keyed:
            makes += [self._upsert] * 4
        return self._random.choice(makes)(stored)

    def _insert(self, stored: Stored) -> str:
        self.kinds.append("INSERT")
        return f"INSERT INTO {stored.name} VALUES {self._rows(stored)}"

    def _upsert(self, stored: Stored) -> str:
        if self._random.random() < 0.4:
            self.kinds.append("ON CONFLICT DO NOTHING")
            return f"INSERT INTO {stored.name} VALUES {self._rows(stored)} ON CONFLICT (id) DO NOTHING"
        self.kinds.append("ON CONFLICT DO UPDATE")
        names = self._random.sample([c.name for c in stored.table.columns if c.name != "id"], 3)
        sets = [f"{names[0]} = excluded.{names[0]}", f"{names[1]} = {stored.name}.{names[1]}", f"{names[2]} = NULL"]
        listed = ", ".join(sets[: self._random.randint(1, 3)])
        where = f" WHERE {stored.name}.c IS DISTINCT FROM excluded.c" if self._random.random() < 0.3 else ""
        return f"INSERT INTO {stored.name} VALUES {self._rows(stored)} ON CONFLICT (id) DO UPDATE SET {listed}{where}"

    def _rows(self, stored: Stored) -> str:
        """Distinct keys within a statement, mostly."""
        rows = [stored.table.draw(self._random, self._now) for _ in range(self._random.choice((1, 2, 4, 8)))]
        if stored.keyed and self._random.random() < 0.9:
            place = stored.table.places["id"]
            ids = self._random.sample(range(IDS), len(rows))
            rows = [(*row[:place], id_, *row[place + 1 :]) for row, id_ in zip(rows, ids, strict=True)]
        return ", ".join(stored.values(row) for row in rows)

    def _insert_select(self, stored: Stored) -> str:
        """Rows of a table again; with a primary key moved to others."""
        self.kinds.append("INSERT SELECT")
        shown = [f"id + {IDS}" if c.name == "id" else c.name for c in stored.table.columns]
        where = self._where(stored)
        if stored.keyed:
            where = f"{where} AND id < {IDS} ON CONFLICT DO NOTHING" if where else f" WHERE id < {IDS}"
        return f"INSERT INTO {stored.name} SELECT {', '.join(shown)} FROM {stored.name}{where}"

    def _update(self, stored: Stored) -> str:
        self.kinds.append("UPDATE")
        scope = scope_of(stored)
        made = Expressions(self._random, scope)
        able = [c for c in scope if c.ours != "id"]
        columns = self._random.sample(able, self._random.randint(1, 2))
        types = {c.name: c for c in stored.table.columns}
        sets = []
        for column in columns:
            if column.kind in _SET and self._random.random() < 0.5:
                sets.append(f"{column.ours} = {made.of(column.kind, 1).ours}")
            else:
                drawn = types[column.ours].draw(self._random)
                sets.append(f"{column.ours} = {literal(drawn, types[column.ours].type)}")
        return f"UPDATE {stored.name} SET {', '.join(sets)}{self._where(stored)}"

    def _delete(self, stored: Stored) -> str:
        self.kinds.append("DELETE")
        return f"DELETE FROM {stored.name}{self._where(stored) or ' WHERE b < 4'}"

    def _truncate(self, stored: Stored) -> str:
        self.kinds.append("TRUNCATE")
        return f"TRUNCATE {stored.name}"

    def _where(self, stored: Stored) -> str:
        if self._random.random() < 0.15:
            return ""
        return f" WHERE ({Expressions(self._random, scope_of(stored)).condition(1).ours})"
