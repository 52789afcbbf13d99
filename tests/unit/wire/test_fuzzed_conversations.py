"""The fuzzer of ``make fuzz`` for a moment, over a real engine."""

from __future__ import annotations

import pytest

from tests.fuzz import protocol


@pytest.mark.parametrize(("mode", "executions"), [("parser", 3000), ("talk", 600), ("sockets", 200)])
def test_hostile_conversations_end_and_leave_nothing(mode: str, executions: int) -> None:
    arguments = ["--mode", mode, "--executions", str(executions), "--seconds", "600", "--seed", "20", "--light", "0.9"]
    assert protocol.main(arguments) == 0
