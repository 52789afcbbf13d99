"""Alarms go off in the order of their times, unless they are called off."""

from __future__ import annotations

import threading

from constellationdb.engine.alarms import Alarms


def test_they_go_off_in_order_and_not_when_called_off() -> None:
    alarms, rang, done = Alarms(), list[str](), threading.Event()
    alarms.set(0.2, done.set)
    alarms.set(0.1, lambda: rang.append("second"))
    alarms.set(0.01, lambda: rang.append("first"))
    alarms.set(0.05, lambda: rang.append("never")).cancel()
    assert done.wait(20)
    alarms.close()
    assert rang == ["first", "second"]


def test_those_called_off_are_not_kept() -> None:
    alarms = Alarms()
    for _ in range(10_000):
        alarms.set(3600, lambda: None).cancel()
    assert len(alarms._heap) < 200
    alarms.close()


def test_closing_wakes_the_thread() -> None:
    alarms = Alarms()
    alarms.set(3600, lambda: None)
    alarms.close()
