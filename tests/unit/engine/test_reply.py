"""An answer is waited for, and given, once; it can be asked for again."""

from __future__ import annotations

import threading

import pytest

from constellationdb.engine.reply import Reply


def test_a_value_is_waited_for_and_stays() -> None:
    reply: Reply[int] = Reply()
    threading.Timer(0.05, reply.set_result, (7,)).start()
    assert reply.result(10) == 7
    assert reply.result() == 7


def test_what_went_wrong_is_raised_as_often_as_asked() -> None:
    reply: Reply[int] = Reply()
    reply.set_exception(ZeroDivisionError("no"))
    for _ in range(2):
        with pytest.raises(ZeroDivisionError, match="no"):
            reply.result()


def test_patience_ends() -> None:
    with pytest.raises(TimeoutError):
        Reply[int]().result(0.01)
