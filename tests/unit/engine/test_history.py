"""AS OF EPOCH: what a relation held, for as long as its changes are kept."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from constellationdb.clock import SystemClock
from constellationdb.engine import arrangement
from constellationdb.engine.engine import Engine
from constellationdb.engine.session import Session
from constellationdb.errors import HistoryExpired, SerializationFailure

HOUR_US = 3_600_000_000


class AnyTime(SystemClock):
    """The system's clock, put forward at will."""

    ahead_us = 0

    def now_us(self) -> int:
        return super().now_us() + self.ahead_us


def _rows(session: Session, text: str) -> Counter[tuple[object, ...]]:
    batches = [batch for result in session.execute(text) for batch in result.batches]
    return Counter(tuple(row.values()) for batch in batches for row in batch.to_pylist())


@pytest.fixture(autouse=True)
def compacting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrangement, "_COMPACT_ABOVE", 0)


@pytest.mark.parametrize("seed", range(3))
def test_every_epoch_can_be_read_again_after_the_contents_were_compacted(seed: int) -> None:
    draw = Random(seed)
    with Engine() as engine:
        session = engine.session()
        _rows(session, "CREATE TABLE t (k int PRIMARY KEY, v int)")
        _rows(session, "CREATE MATERIALIZED VIEW m AS SELECT v, count(*) AS n FROM t GROUP BY v")
        then = {}
        for _ in range(30):
            k = draw.randrange(8)
            _rows(session, draw.choice([
                f"INSERT INTO t VALUES ({k}, {draw.randrange(3)}) ON CONFLICT (k) DO UPDATE SET v = excluded.v",
                f"UPDATE t SET v = v + 1 WHERE k < {k}", f"DELETE FROM t WHERE k = {k}",
            ]))  # fmt: skip
            then[engine.epoch] = [_rows(session, f"SELECT * FROM {name}") for name in "tm"]
        with engine.lock:
            for name in "tm":
                contents = engine.states[name].contents
                assert contents is not None
                contents.compact(engine.epoch)
            assert engine.states["t"].version().floor == engine.epoch
        for epoch, found in then.items():
            assert [_rows(session, f"SELECT * FROM {name} AS OF EPOCH {epoch}") for name in "tm"] == found


def test_history_is_kept_for_as_long_as_was_asked_and_then_it_is_an_error() -> None:
    clock = AnyTime()
    with Engine(clock=clock) as engine:
        session = engine.session()
        _rows(session, "CREATE TABLE usual (a int)")
        _rows(session, "CREATE TABLE long (a int) WITH (retain_history = '2 hours')")
        _rows(session, "INSERT INTO usual VALUES (1); INSERT INTO long VALUES (1)")
        before = engine.epoch
        _rows(session, "DELETE FROM usual; DELETE FROM long")
        for hours, usual, long in ((0, True, True), (1, False, True), (3, False, False)):
            clock.ahead_us = hours * HOUR_US
            engine.tidy_base()
            for name, kept in (("usual", usual), ("long", long)):
                text = f"SELECT * FROM {name} AS OF EPOCH {before}"
                if kept:
                    assert _rows(session, text) == {(1,): 1}
                else:
                    with pytest.raises(HistoryExpired, match=f'epoch {before} of "{name}" is no longer kept'):
                        _rows(session, text)


def test_what_was_not_there_yet_is_an_error_and_not_empty() -> None:
    with Engine() as engine:
        session = engine.session()
        _rows(session, "CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
        before = engine.epoch
        _rows(session, "INSERT INTO t VALUES (2)")
        _rows(session, "CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM t; CREATE TABLE late (a int)")
        assert _rows(session, f"SELECT * FROM t AS OF EPOCH {before}") == {(1,): 1}
        for name in ("m", "late"):
            with pytest.raises(HistoryExpired, match=f'epoch {before} of "{name}" is no longer kept'):
                _rows(session, f"SELECT * FROM {name} AS OF EPOCH {before}")


def test_a_transaction_does_not_read_what_was_defined_after_the_epoch_it_reads_at() -> None:
    with Engine() as engine:
        session, other = engine.session(), engine.session()
        _rows(session, "CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
        _rows(session, "BEGIN")
        _rows(session, "SELECT * FROM t")
        _rows(other, "INSERT INTO t VALUES (2)")
        _rows(other, "CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM t")
        with pytest.raises(SerializationFailure, match='"m" was dropped or defined anew by another session'):
            _rows(session, "SELECT * FROM m")
        _rows(session, "ROLLBACK")
        assert _rows(session, "SELECT * FROM m") == {(2,): 1}
