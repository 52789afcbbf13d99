"""Those who wait are woken by what they wait for, by a cancellation and by the end, and by nothing else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from constellationdb.clock import SystemClock
from constellationdb.engine.bell import Bell
from constellationdb.engine.cancellation import Cancellation
from constellationdb.engine.changelog import Change
from constellationdb.engine.relation import RelationState
from constellationdb.engine.turn import SMALL_ROWS, Turn
from constellationdb.engine.waiting import Waiting
from constellationdb.errors import InternalError, QueryCanceled
from tests.unit.engine.test_rowstore import SCHEMA


@pytest.fixture
def waiting() -> Waiting:
    return Waiting(threading.RLock(), SystemClock())


def _asleep(waiting: Waiting, count: int = 1) -> None:
    while len(waiting._asleep) < count:
        time.sleep(0.001)


def _in_background(wait: Callable[[], bool]) -> Future[bool]:
    pool = ThreadPoolExecutor(1)
    found = pool.submit(wait)
    pool.shutdown(wait=False)
    return found


def test_a_bell_that_rang_before_lets_pass_once() -> None:
    bell = Bell()
    bell.ring()
    bell.ring()
    bell.wait()
    begin = time.monotonic()
    bell.wait(0.01)
    assert time.monotonic() - begin >= 0.01


def test_only_those_whose_condition_came_true_are_woken(waiting: Waiting) -> None:
    reached, tried = 0, 0

    def first() -> bool:
        return reached >= 1

    def second() -> bool:
        nonlocal tried
        tried += 1
        return reached >= 2

    one, two = (_in_background(lambda c=c: waiting.wait(c)) for c in (first, second))  # type: ignore[misc]
    _asleep(waiting, 2)
    with waiting._lock:
        reached, tried = 1, 0
        waiting.moved()
    assert one.result(10)
    assert (two.done(), tried) == (False, 1)  # tried by who moved; its thread slept on
    with waiting._lock:
        reached = 2
        waiting.moved()
    assert two.result(10)


def test_a_reader_is_woken_by_its_relation(waiting: Waiting) -> None:
    mine, other = (RelationState(name, SCHEMA, None, 0) for name in ("mine", "other"))
    seen = _in_background(lambda: waiting.wait(lambda: mine.log.after(0) is not None, relation=mine))
    _asleep(waiting)
    with waiting._lock:
        other.publish(Change(1, None, 5, 0))
        waiting.moved()
        assert len(mine.readers) == 1
        mine.publish(Change(2, None, 5, 0))
    assert seen.result(10)
    assert not mine.readers


def test_a_cancellation_reaches_who_waits_and_who_is_about_to(waiting: Waiting) -> None:
    cancelled = Cancellation()
    asleep = _in_background(lambda: waiting.wait(lambda: False, cancelled))
    _asleep(waiting)
    cancelled.set()
    with pytest.raises(QueryCanceled):
        asleep.result(10)
    with pytest.raises(QueryCanceled):
        waiting.wait(lambda: False, cancelled)
    cancelled.clear()
    assert not waiting.wait(lambda: False, cancelled, timeout=0)


def test_a_condition_that_fails_fails_its_own_thread(waiting: Waiting) -> None:
    broken = False

    def condition() -> bool:
        if broken:
            raise ZeroDivisionError
        return False

    found = _in_background(lambda: waiting.wait(condition))
    _asleep(waiting)
    with waiting._lock:
        broken = True
        waiting.moved()
    with pytest.raises(ZeroDivisionError):
        found.result(10)


def test_the_end_wakes_everybody(waiting: Waiting) -> None:
    relation = RelationState("r", SCHEMA, None, 0)
    sleepers = [
        _in_background(lambda: waiting.wait(lambda: False)),
        _in_background(lambda: waiting.wait(lambda: False, relation=relation)),
    ]
    _asleep(waiting, 2)
    with waiting._lock:
        waiting.stopping = True
        waiting.wake_all()
    assert [s.result(10) for s in sleepers] == [False, False]
    waiting.failure = ValueError("broken")
    with pytest.raises(InternalError, match="the engine has stopped"):
        waiting.wait(lambda: False)


def test_turns_are_taken_in_the_order_of_asking_and_by_one_at_a_time() -> None:
    turn, order, inside = Turn(), [], 0
    asking = threading.Semaphore(0)

    def work(number: int) -> None:
        nonlocal inside
        asking.release()
        with turn:
            inside += 1
            assert inside == 1
            order.append(number)
            inside -= 1

    with turn:
        threads = []
        for number in range(5):
            threads.append(threading.Thread(target=work, args=(number,)))
            threads[-1].start()
            asking.acquire()
            while len(turn._waiting) <= number:
                time.sleep(0.001)
    for thread in threads:
        thread.join(10)
    assert order == [0, 1, 2, 3, 4]


def test_large_work_takes_no_turn() -> None:
    turn = Turn()
    with turn, turn.of(SMALL_ROWS):
        pass
