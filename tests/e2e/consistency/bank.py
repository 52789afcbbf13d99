"""The bank: its tables and views, and the transactions that keep its books true."""

from __future__ import annotations

from itertools import count
from random import Random

from constellationdb import connect, errors
from constellationdb.embedded import Database

ACCOUNTS, OWNERS, OPENING = 24, 6, 1_000
TOTAL = ACCOUNTS * OPENING

TABLES = f"""
CREATE TABLE owner (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE account (id int PRIMARY KEY, owner int NOT NULL, opening int NOT NULL, balance int NOT NULL);
CREATE TABLE card (number int PRIMARY KEY, account int NOT NULL, holder text NOT NULL);
CREATE TABLE movement (src int NOT NULL, dst int NOT NULL, amount int NOT NULL);
INSERT INTO owner SELECT n, 'owner ' || n FROM generate_series(0, {OWNERS - 1}) AS g(n);
INSERT INTO account SELECT n, n % {OWNERS}, {OPENING}, {OPENING} FROM generate_series(1, {ACCOUNTS}) AS g(n);
INSERT INTO card SELECT n, n, 'first' FROM generate_series(1, {ACCOUNTS}) AS g(n);
"""

VIEWS = {
    # Sums that no transaction changes, straight, over joins, over views, over windows of rows.
    "total": "SELECT sum(balance) AS total FROM account",
    "per_owner": "SELECT o.name, sum(a.balance) AS balance, count(*) AS accounts"
    " FROM account a JOIN owner o ON o.id = a.owner GROUP BY o.name",
    "total_of_owners": "SELECT sum(balance) AS total FROM per_owner",
    "shares": "SELECT id, balance, sum(balance) OVER () AS total FROM account",
    # The books: what came in less what went out; every movement does both.
    "came": "SELECT dst AS account, sum(amount) AS amount FROM movement GROUP BY dst",
    "went": "SELECT src AS account, sum(amount) AS amount FROM movement GROUP BY src",
    "books": "SELECT coalesce(c.account, w.account) AS account, coalesce(c.amount, 0) - coalesce(w.amount, 0) AS moved"
    " FROM came c FULL JOIN went w ON c.account = w.account",
    "total_of_books": "SELECT sum(moved) AS total FROM books",
    # Empty at every epoch: an account that does not agree with the books, one without a card.
    "wrong": "SELECT a.id, a.balance - a.opening - coalesce(b.moved, 0) AS differs FROM account a"
    " LEFT JOIN books b ON b.account = a.id WHERE a.balance - a.opening <> coalesce(b.moved, 0)",
    "cardless": "SELECT id FROM account a WHERE NOT EXISTS (SELECT FROM card c WHERE c.account = a.id)",
    # Joins in which both sides change at once, and nothing is ever missing.
    "carded": "SELECT a.id, a.balance, c.holder FROM account a JOIN card c ON c.account = a.id",
    "holders": "SELECT a.id, a.balance, c.holder FROM account a LEFT JOIN card c ON c.account = a.id",
    "pairs": "SELECT a.id, a.balance, c.number FROM account a FULL JOIN card c ON c.account = a.id",
    "counted": "SELECT p.name, p.balance, c.n FROM per_owner p LEFT JOIN (SELECT o.name, count(*) AS n"
    " FROM account a JOIN owner o ON o.id = a.owner GROUP BY o.name) c ON c.name = p.name",
}


def found(database: Database) -> None:
    database.execute(TABLES)
    for name, query in VIEWS.items():
        database.execute(f"CREATE MATERIALIZED VIEW {name} AS {query}")


class Teller:
    """One session that commits a known number of transactions. All share the first accounts; new ones are its own."""

    def __init__(self, dsn: str, number: int, transactions: int) -> None:
        self._dsn = dsn
        self._random = Random(number)
        self._transactions = transactions
        self._mine: list[int] = []
        self._numbers = count(1_000_000 * number)
        self.done = self.conflicts = self.rolled_back = 0

    def work(self) -> int:
        """The epoch that has all of it."""
        with connect(self._dsn) as database:
            while self.done < self._transactions:
                try:
                    self._one(database)
                except errors.SerializationFailure:
                    self.conflicts += 1
                    database.execute("ROLLBACK")
            return int(database.sql("SHOW epoch").fetchall()[0][0])

    def _one(self, database: Database) -> None:
        draw = self._random
        src, dst = draw.sample([*range(1, ACCOUNTS + 1), *self._mine], 2)
        opened, closed = next(self._numbers), draw.choice([0, *self._mine])
        kind = draw.choice(("transfer", "transfer", "transfer", "owners", "card", "open", "close"))
        if kind == "transfer":
            statements = _transfer(src, dst, draw.randint(1, 50))
        elif kind == "owners":
            statements = [f"UPDATE account SET owner = {draw.randrange(OWNERS)} WHERE id IN ({src}, {dst})"]
        elif kind == "card":
            card = f"INSERT INTO card VALUES ({opened}, {src}, 'holder {draw.randrange(100)}')"
            statements = [f"DELETE FROM card WHERE account = {src}", card, *_transfer(src, dst, draw.randint(1, 50))]
        elif kind == "open" or not closed:
            statements = _open(opened, src, draw.randrange(OWNERS), draw.randint(1, 50))
        else:
            statements = _close(closed, draw.randint(1, ACCOUNTS))
        if not self._run(database, statements):
            return
        if kind == "close" and closed:
            self._mine.remove(closed)
        elif kind in ("open", "close"):
            self._mine.append(opened)

    def _run(self, database: Database, statements: list[str]) -> bool:
        """As one text, as a transaction, or as one that is given up."""
        how = self._random.random()
        if how < 0.4:
            database.execute("; ".join(statements))
        else:
            for statement in ["BEGIN", *statements, "COMMIT" if how < 0.9 else "ROLLBACK"]:
                database.execute(statement)
        self.done += how < 0.9
        self.rolled_back += how >= 0.9
        return how < 0.9


def _transfer(src: int, dst: int, amount: int) -> list[str]:
    return [
        f"UPDATE account SET balance = balance - {amount} WHERE id = {src}",
        f"UPDATE account SET balance = balance + {amount} WHERE id = {dst}",
        f"INSERT INTO movement VALUES ({src}, {dst}, {amount})",
    ]


def _open(new: int, src: int, owner: int, amount: int) -> list[str]:
    return [
        f"INSERT INTO account VALUES ({new}, {owner}, 0, 0)",
        f"INSERT INTO card VALUES ({new}, {new}, 'new')",
        *_transfer(src, new, amount),
    ]


def _close(gone: int, heir: int) -> list[str]:
    """An account goes with its card; another takes over its balance and its books."""
    return [
        f"UPDATE account SET balance = balance + (SELECT balance FROM account WHERE id = {gone}) WHERE id = {heir}",
        f"DELETE FROM account WHERE id = {gone}",
        f"DELETE FROM card WHERE account = {gone}",
        f"UPDATE movement SET src = {heir} WHERE src = {gone}",
        f"UPDATE movement SET dst = {heir} WHERE dst = {gone}",
    ]
