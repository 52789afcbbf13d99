"""The benchmark's client misses nothing, and its answers are right."""

from __future__ import annotations

import struct

import pytest

from bench.wire.client import fields, messages
from bench.wire.copy_out import CASES as COPY_CASES
from bench.wire.line import Line
from bench.wire.measure import measure
from bench.wire.select import CASES as SELECT_CASES


@pytest.mark.parametrize("name", [*SELECT_CASES, *COPY_CASES])
def test_a_thousand_rows_come_whole(name: str) -> None:
    (line,) = measure([name], 1000)
    assert line.answer_ok
    assert isinstance(line, Line)
    assert line.rows == 1000


def test_a_message_cut_short_is_noticed() -> None:
    whole = bytearray(b"D" + struct.pack(">ihi", 11, 1, 1) + b"x")
    assert [bytes(value or b"") for _, body in messages(whole) for value in fields(body)] == [b"x"]
    with pytest.raises(ValueError, match="cut short"):
        list(messages(whole[:-1]))
    with pytest.raises(ValueError, match="bytes of values"):
        fields(memoryview(struct.pack(">hi", 1, 1) + b"xy"))
