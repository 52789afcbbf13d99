"""A lookup that hangs, and first answers of new views, beside transactions: nobody else waits, all of it is right."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg

from constellationdb import connect
from constellationdb.embedded import Database
from constellationdb.engine.job import CHUNK_ROWS
from tests.e2e.conftest import Serve
from tests.e2e.consistency import bank
from tests.e2e.consistency.test_consistency import CHECKS, transact, watching

CHUNKS = 4
NEW = {
    "filtered": "SELECT id, word FROM history WHERE account % 2 = 0",
    "grouped": "SELECT account, count(*) AS n, sum(id) AS ids FROM history GROUP BY account",
    "latest": "SELECT account, id FROM (SELECT account, id, row_number() OVER (PARTITION BY account ORDER BY id DESC)"
    " AS n FROM history) ranked WHERE n = 1",
    "joined": "SELECT h.account, count(*) AS n FROM history h JOIN account a ON a.id = h.account GROUP BY h.account",
}


def rows(database: Database, query: str) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(row) for row in database.sql(query).fetchall())


def test_a_first_answer_over_many_rows_keeps_no_view_waiting(serve: Serve) -> None:
    """While a view is made, another goes on with transaction after transaction."""
    dsn = serve().dsn
    with connect(dsn) as database, connect(dsn) as other, ThreadPoolExecutor(1) as pool:
        database.execute("CREATE TABLE history (id int, account int, word text)")
        database.execute("CREATE TABLE account (id int PRIMARY KEY, balance int)")
        database.execute("INSERT INTO account SELECT n, 0 FROM generate_series(0, 99) AS g(n)")
        database.execute("CREATE MATERIALIZED VIEW total AS SELECT sum(balance) AS total FROM account")
        many = f"SELECT n, n % 5000, 'word ' || n FROM generate_series(1, {CHUNKS * CHUNK_ROWS}) AS g(n)"
        database.execute(f"INSERT INTO history {many}")
        total = rounds = 0
        for name, query in NEW.items():
            making = pool.submit(other.execute, f"CREATE MATERIALIZED VIEW {name} AS {query}")
            while not making.done():
                total, rounds = total + 1, rounds + 1
                database.execute("UPDATE account SET balance = balance + 1 WHERE id = 7")
                assert database.sql("SELECT total FROM total").fetchall() == [(total,)]
                if rounds % 10 == 0:
                    database.execute(f"INSERT INTO history VALUES ({-total}, {total % 99}, 'beside')")
            making.result()
        assert rounds > 2 * len(NEW)  # one that waited would go on once a view
        for name, query in NEW.items():
            assert rows(database, f"SELECT * FROM {name}") == rows(database, query)


def test_a_lookup_that_hangs_stops_no_transaction_no_view_and_no_reader(serve: Serve, postgres: str) -> None:
    dsn = serve().dsn
    with psycopg.connect(postgres, autocommit=True) as there, psycopg.connect(postgres) as holder:
        there.execute("DROP TABLE IF EXISTS label; CREATE TABLE label (k int PRIMARY KEY, v text)")
        there.execute("INSERT INTO label SELECT k, 'label ' || k FROM generate_series(0, 4) AS g(k)")
        holder.execute("LOCK TABLE label IN ACCESS EXCLUSIVE MODE")
        with connect(dsn) as database:
            bank.found(database)
            database.execute(
                "CREATE LOOKUP TABLE label (k int PRIMARY KEY, v text) WITH (connector = 'postgres',"
                f" dsn = '{postgres}', \"table\" = 'label', statement_timeout = '10min')"
            )
            join = "FROM account a LEFT JOIN label l ON l.k = a.owner"
            database.execute(f"CREATE MATERIALIZED VIEW labelled AS SELECT a.id, a.balance, a.owner, l.v {join}")
            database.execute(
                "CREATE MATERIALIZED VIEW per_label AS SELECT v, sum(balance) AS balance FROM labelled GROUP BY v"
            )
            some = {name: CHECKS[name] for name in ("total", "per_owner", "holders", "wrong")}
            with watching(dsn, some) as (pool, watched):
                _, last = transact(dsn, pool, 24)
                watched.end(last)
            assert len(set(watched.watchers["per_owner"].epochs)) > 6
            assert rows(database, "SELECT * FROM labelled") == Counter()
            holder.rollback()
            ((count,),) = database.sql("SELECT count(*) FROM account").fetchall()
            while database.sql("SELECT count(*) FROM labelled").fetchall() != [(count,)]:
                there.execute("SELECT pg_sleep(0.02)")
            accounts = rows(database, "SELECT id, balance, owner FROM account")
            names = {k: f"label {k}" for k in range(5)}
            assert rows(database, "SELECT * FROM labelled") == Counter(
                {(i, balance, owner, names.get(owner)): 1 for i, balance, owner in accounts}
            )
            transacted(dsn, database)


def transacted(dsn: str, database: Database) -> None:
    """Now that every key is known, the lookup join's balances are whole at every epoch, too."""
    checks = {"labelled": lambda contents: sum(row[1] for row in contents.elements()) == bank.TOTAL}
    with watching(dsn, checks | {"per_label": CHECKS["per_owner"]}) as (pool, watched):
        _, last = transact(dsn, pool, 24, first=3)
        watched.end(last)
    assert len(set(watched.watchers["labelled"].epochs)) > 6
    assert watched.watchers["labelled"].contents == rows(database, "SELECT * FROM labelled")
