"""The lookup table ``names``: in Postgres a table like any other, for its rows never change."""

from __future__ import annotations

import json
from dataclasses import dataclass

from constellationdb.embedded.database import Database
from tests.properties.postgres.server import Postgres


@dataclass(frozen=True)
class Lookup:
    rows: tuple[tuple[int, str | None, int], ...]

    def create(self, ours: Database, theirs: Postgres) -> None:
        columns = "(n int PRIMARY KEY, word text, size int)"
        ours.execute(
            f"CREATE LOOKUP TABLE names {columns} WITH (connector = 'inline', rows = '{json.dumps(self.rows)}')"
        )
        theirs.execute(f"CREATE TABLE names {columns}")
        for n, word, size in self.rows:
            theirs.execute(f"INSERT INTO names VALUES ({n}, {'NULL' if word is None else repr(word)}, {size})")


LOOKUP = Lookup(((0, "none", 9), (1, "one", 1), (2, None, 2), (3, "three", 3), (5, "five", 1), (8, "", 0)))
