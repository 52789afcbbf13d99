"""SELECT of every row, in text and in binary."""

from __future__ import annotations

from collections.abc import Callable

from bench.wire.client import RawClient, fields, messages
from bench.wire.reading_out import Read
from bench.wire.readings import COLUMNS, sum_of_ids

_SQL = "SELECT * FROM reading"
_DATA_ROW = ord("D")


def _checked(answer: bytearray, rows: int, id_of: Callable[[memoryview], int]) -> bool:
    count = total = 0
    for kind, body in messages(answer):
        if kind == _DATA_ROW:
            values = fields(body)
            assert values[0] is not None
            count += len(values) == COLUMNS
            total += id_of(values[0])
    return count == rows and total == sum_of_ids(rows)


def _text(client: RawClient) -> bytearray:
    return client.execute(_SQL, 0)


def _binary(client: RawClient) -> bytearray:
    return client.execute(_SQL, 1)


def _text_ok(answer: bytearray, rows: int) -> bool:
    return _checked(answer, rows, int)


def _binary_ok(answer: bytearray, rows: int) -> bool:
    return _checked(answer, rows, lambda value: int.from_bytes(value, "big", signed=True))


CASES = {
    "select text": Read(_text, _text_ok, goal=1_500_000),
    "select binary": Read(_binary, _binary_ok, goal=5_000_000),
}
