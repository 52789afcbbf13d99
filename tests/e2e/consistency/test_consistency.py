"""Random transactions on a server, watched: whatever a reader or a subscriber sees is some epoch's whole truth."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from threading import Event

import pyarrow as pa
import pytest

from constellationdb import connect
from constellationdb.engine import batch as zset
from constellationdb.engine import session, visible, writes
from constellationdb.engine.changelog import Change
from constellationdb.engine.engine import Engine
from constellationdb.engine.reads import Reader
from constellationdb.engine.relation import RelationState
from constellationdb.engine.sequencer import Epoch
from constellationdb.engine.session import Session
from constellationdb.engine.transaction import Commit, Transaction
from constellationdb.server.listener import Server
from tests.e2e.conftest import Serve
from tests.e2e.consistency import bank
from tests.e2e.consistency.bank import TOTAL, Teller
from tests.e2e.consistency.watching import Auditor, Check, Contents, Inconsistent, Watcher

TRANSACTIONS = int(os.environ.get("CONSTELLATION_TRANSACTIONS", "48"))


def every_total_is(*totals: int | None) -> Check:
    """Contents that are one row of one number."""
    return lambda contents: set(contents) <= {(total,) for total in totals}


def nothing_missing(contents: Contents) -> bool:
    return not any(value is None for row in contents for value in row)


def balances_are_whole(contents: Contents) -> bool:
    """Of rows whose second column is a balance."""
    return sum(int(row[1]) for row in contents.elements()) == TOTAL


CHECKS: dict[str, Check] = {
    "total": every_total_is(TOTAL),
    "total_of_owners": every_total_is(TOTAL),
    "per_owner": balances_are_whole,
    "shares": lambda contents: balances_are_whole(contents) and {row[2] for row in contents} == {TOTAL},
    "total_of_books": every_total_is(None, 0),
    "wrong": lambda contents: not contents,
    "cardless": lambda contents: not contents,
    "carded": lambda contents: nothing_missing(contents) and balances_are_whole(contents),
    "holders": lambda contents: nothing_missing(contents) and balances_are_whole(contents),
    "pairs": lambda contents: nothing_missing(contents) and balances_are_whole(contents),
    "counted": lambda contents: nothing_missing(contents) and balances_are_whole(contents),
}
CONSTANT = {
    "SELECT (SELECT total FROM total), (SELECT count(*) FROM wrong)": (TOTAL, 0),
    "SELECT (SELECT sum(balance) FROM per_owner), (SELECT count(*) FROM cardless)": (TOTAL, 0),
    "SELECT sum(a.balance), sum(h.balance), count(*) FILTER (WHERE c.holder IS NULL)"
    " FROM account a LEFT JOIN card c ON c.account = a.id FULL JOIN holders h ON h.id = a.id": (TOTAL, TOTAL, 0),
    "SELECT (SELECT total FROM total_of_owners), (SELECT coalesce(sum(moved), 0) FROM books)": (TOTAL, 0),
    "SELECT count(*) FROM account a FULL JOIN shares s ON s.id = a.id WHERE s.balance IS DISTINCT FROM a.balance": (0,),
}
TOGETHER = [
    "SELECT sum(balance * accounts), count(*) FROM per_owner",
    "SELECT sum(balance * accounts), count(*) FROM per_owner",
    "SELECT sum(b.balance * b.accounts), count(*) FROM (SELECT sum(a.balance) AS balance, count(*) AS accounts"
    " FROM account a JOIN owner o ON o.id = a.owner GROUP BY o.name) b",
    "SELECT sum(balance * n), count(*) FROM counted",
]


class Watched:
    """Watchers of every view and an auditor, from the beginning until the last transaction is seen."""

    def __init__(self, dsn: str, pool: ThreadPoolExecutor, checks: dict[str, Check]) -> None:
        self.last: int | None = None
        self.watchers = {name: Watcher(dsn, name, check, lambda: self.last) for name, check in checks.items()}
        self.closed = Event()
        self.auditor = Auditor(dsn, CONSTANT, TOGETHER, self.closed)
        self._running = [pool.submit(watcher.watch) for watcher in self.watchers.values()]
        self._auditing = pool.submit(self.auditor.audit)
        for watcher, running in zip(self.watchers.values(), self._running, strict=True):
            while not watcher.ready.wait(0.1):
                assert not running.done(), running.exception()

    def end(self, last: int) -> None:
        """Raises what they found."""
        self.last = last
        self.closed.set()
        for running in [*self._running, self._auditing]:
            running.result(60)

    def seen_enough(self, transactions: int) -> None:
        """They looked at many epochs one by one, and rows went as well as came."""
        for name in ("per_owner", "holders", "pairs", "shares", "counted"):
            watcher = self.watchers[name]
            assert len(set(watcher.epochs)) > transactions // 4, name
            assert watcher.retracted > transactions // 4, name
        assert self.auditor.asked > 4
        assert len(self.auditor.answers) > 2


@contextmanager
def watching(dsn: str, checks: dict[str, Check] = CHECKS) -> Iterator[tuple[ThreadPoolExecutor, Watched]]:
    with ThreadPoolExecutor(24) as pool:
        watched = Watched(dsn, pool, checks)
        try:
            yield pool, watched
        finally:
            if watched.last is None:  # something else has failed: let them end
                watched.last = 0
                watched.closed.set()


def transact(dsn: str, pool: ThreadPoolExecutor, transactions: int, first: int = 1) -> tuple[list[Teller], int]:
    """All transactions, by two tellers, and an epoch that has them all. Each teller of a bank has its own number."""
    crew = [Teller(dsn, number, transactions // 2) for number in (first, first + 1)]
    return crew, max(running.result() for running in [pool.submit(teller.work) for teller in crew])


@contextmanager
def in_this_process(workers: int) -> Iterator[str]:
    with Engine(workers=workers) as engine, Server(engine, port=0) as server:
        host, port = server.address
        yield f"postgres://tester@{host}:{port}/constellation"


@pytest.mark.parametrize("workers", [1, 3])
def test_no_reader_and_no_subscriber_sees_half_a_transaction(serve: Serve, workers: int) -> None:
    """One worker in a server of its own; three in a server in this process, which has no option for it."""
    with ExitStack() as stack:
        dsn = serve().dsn if workers == 1 else stack.enter_context(in_this_process(workers))
        with connect(dsn) as database:
            bank.found(database)
        with watching(dsn) as (pool, watched):
            crew, last = transact(dsn, pool, TRANSACTIONS)
            watched.end(last)
        watched.seen_enough(TRANSACTIONS)
        assert sum(teller.rolled_back for teller in crew) > 0
        with connect(dsn) as database:
            for name, watcher in watched.watchers.items():
                rows = Counter(tuple(row) for row in database.sql(f"SELECT * FROM {name}").fetchall())
                assert watcher.contents == rows, name


def _in_two_epochs(engine: Engine, epoch: Epoch, work: Commit) -> int:
    """Half of a transaction's tables now, the other half right after."""
    later = sorted(work.changes)[1:]
    if later:
        rest = replace(work, commands=(), changes={name: work.changes[name] for name in later})
        engine.submit(lambda following: writes.commit(engine, following, rest))
    return writes.commit(
        engine, epoch, replace(work, changes={n: d for n, d in work.changes.items() if n not in later})
    )


def _each_its_latest(reader: Reader, names: list[str], at_least: int) -> dict[str, pa.Table]:
    """A statement outside of transactions reads whatever each relation has."""
    return {name: state.version().scan(1 << 62) for name, state in reader._states(names, at_least).items()}


def _afresh(session: Session, transaction: Transaction, names: Iterable[str] = ()) -> int | None:
    """A transaction that only reads takes the latest epoch for each statement."""
    return _EPOCH_OF(session, transaction, names) if transaction.tables else None


def _with_what_nets_out(state: RelationState, change: Change) -> bool:
    """Rows that a job adds and takes back in one epoch are shown."""
    if change.delta is not None and state.name == "pairs":
        first, schema = change.delta.slice(0, 1).to_pydict(), change.delta.schema
        both = [pa.RecordBatch.from_pydict(first | {zset.WEIGHT: [w]}, schema) for w in (1, -1)]
        change = replace(change, delta=pa.concat_batches([change.delta, *both]))
    return _PUBLISH(state, change)


_EPOCH_OF = visible.epoch_of
_PUBLISH = RelationState.publish
PLANTED: dict[str, tuple[object, str, object]] = {
    "a transaction is two epochs": (session, "commit", _in_two_epochs),
    "a statement reads several epochs": (Reader, "_latest", _each_its_latest),
    "a transaction reads several epochs": (visible, "epoch_of", _afresh),
    "a join shows transient rows": (RelationState, "publish", _with_what_nets_out),
}


@pytest.mark.parametrize("name", PLANTED)
def test_an_engine_that_is_inconsistent_is_found_out(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(*PLANTED[name])
    with in_this_process(1) as dsn:
        with connect(dsn) as database:
            bank.found(database)
        with watching(dsn) as (pool, watched):
            _, last = transact(dsn, pool, 24)
            with pytest.raises(Inconsistent):
                watched.end(last)
