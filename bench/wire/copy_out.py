"""COPY of every row to the client, in text and in binary."""

from __future__ import annotations

from bench.wire.client import RawClient, fields, messages
from bench.wire.reading_out import Read
from bench.wire.readings import COLUMNS, sum_of_ids

_COPY_DATA = ord("d")
_SIGNATURE = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_TRAILER = b"\xff\xff"


def _text(client: RawClient) -> bytearray:
    return client.query("COPY reading TO STDOUT")


def _binary(client: RawClient) -> bytearray:
    return client.query("COPY reading TO STDOUT (FORMAT binary)")


def _text_ok(answer: bytearray, rows: int) -> bool:
    lines = [bytes(body) for kind, body in messages(answer) if kind == _COPY_DATA]
    whole = all(line.endswith(b"\n") and line.count(b"\t") == COLUMNS - 1 for line in lines)
    return whole and len(lines) == rows and sum(int(line.partition(b"\t")[0]) for line in lines) == sum_of_ids(rows)


def _binary_ok(answer: bytearray, rows: int) -> bool:
    bodies = [body for kind, body in messages(answer) if kind == _COPY_DATA]
    if bytes(bodies[0][: len(_SIGNATURE)]) != _SIGNATURE or bytes(bodies.pop()) != _TRAILER:
        return False
    bodies[0] = bodies[0][len(_SIGNATURE) :]
    ids = [values[0] for values in map(fields, bodies) if len(values) == COLUMNS and values[0] is not None]
    return len(ids) == rows and sum(int.from_bytes(i, "big", signed=True) for i in ids) == sum_of_ids(rows)


CASES = {
    "copy out text": Read(_text, _text_ok, goal=1_500_000),
    "copy out binary": Read(_binary, _binary_ok, goal=5_000_000),
}
