"""Subscriptions over the wire to a view that is replaced: the same columns go on, others end with where to go on."""

from __future__ import annotations

import re
from collections import Counter
from typing import LiteralString

import psycopg
import pytest

from tests.clients.conftest import Served


def _fetched(reader: psycopg.Connection, rows: int) -> list[tuple[int, ...]]:
    return reader.execute(f"FETCH {rows} FROM c WITH (timeout = '20s')".encode()).fetchall()


def _sum(changes: list[tuple[int, ...]]) -> Counter[tuple[int, ...]]:
    total: Counter[tuple[int, ...]] = Counter()
    for _, diff, *row in changes:
        total[tuple(row)] += diff
    return Counter({row: count for row, count in total.items() if count})


def _create(writer: psycopg.Connection, name: LiteralString) -> None:
    writer.execute(f"CREATE TABLE {name}_base (k int, v int)")
    writer.execute(f"INSERT INTO {name}_base VALUES (1, 10), (1, 20), (2, 30)")
    writer.execute(f"CREATE MATERIALIZED VIEW {name} AS SELECT k, sum(v)::int AS n FROM {name}_base GROUP BY k")


def test_the_same_columns_go_on_without_a_gap(served: Served) -> None:
    with psycopg.connect(served.dsn, autocommit=True) as writer, psycopg.connect(served.dsn, autocommit=True) as reader:
        _create(writer, "evened")
        reader.execute("DECLARE c CURSOR WITH HOLD FOR SUBSCRIBE evened")
        seen = _fetched(reader, 2)
        assert _sum(seen) == {(1, 30): 1, (2, 30): 1}
        writer.execute("INSERT INTO evened_base VALUES (2, 5)")
        writer.execute(
            "CREATE OR REPLACE MATERIALIZED VIEW evened AS SELECT k, max(v) AS n FROM evened_base GROUP BY k"
        )
        writer.execute("INSERT INTO evened_base VALUES (1, 25)")
        seen += _fetched(reader, 8)
        assert _sum(seen) == Counter(writer.execute("SELECT k, n FROM evened").fetchall()) == {(1, 25): 1, (2, 30): 1}
        epochs = [epoch for epoch, *_ in seen]
        assert epochs == sorted(epochs)
        assert len(set(epochs)) == 4  # what there was, the row, the change of versions, the other row
        assert _fetched_at_once(reader) == []
        writer.execute("DROP TABLE evened_base CASCADE")


def _fetched_at_once(reader: psycopg.Connection) -> list[tuple[int, ...]]:
    return reader.execute("FETCH ALL FROM c WITH (timeout = '0s')").fetchall()


def test_other_columns_end_it_with_the_epoch_to_go_on_from(served: Served) -> None:
    with psycopg.connect(served.dsn, autocommit=True) as writer, psycopg.connect(served.dsn, autocommit=True) as reader:
        _create(writer, "widened")
        rows = reader.cursor().stream("SUBSCRIBE widened")
        assert sorted(next(rows)[2:] for _ in range(2)) == [(1, 30), (2, 30)]
        writer.execute(
            "CREATE OR REPLACE MATERIALIZED VIEW widened AS SELECT k, max(v) AS m, count(*)::int AS c"
            " FROM widened_base GROUP BY k"
        )
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="has other columns now") as caught:
            next(rows)
        hint = caught.value.diag.message_hint or ""
        found = re.match(r"(SUBSCRIBE widened AS OF EPOCH \d+) goes on from there", hint)
        assert found is not None
        writer.execute("DELETE FROM widened_base WHERE k = 2")
        reader.execute(f"DECLARE c CURSOR WITH HOLD FOR {found[1]}".encode())
        seen = _fetched(reader, 3)
        assert [row[1:] for row in sorted(seen)] == [(1, 1, 20, 2), (1, 2, 30, 1), (-1, 2, 30, 1)]
        writer.execute("DROP TABLE widened_base CASCADE")
