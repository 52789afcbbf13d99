"""The parser: every message, cut anywhere; everything malformed is a ProtocolViolation and nothing else."""

from __future__ import annotations

import random
import struct

import pytest

from constellationdb.errors import ProtocolViolation
from constellationdb.wire.messages import (
    Bind,
    CancelRequest,
    Close,
    CopyData,
    CopyDone,
    CopyFail,
    Describe,
    EncryptionRequest,
    Execute,
    Flush,
    FrontendMessage,
    FunctionCall,
    Garbled,
    Parse,
    Query,
    Startup,
    Sync,
    Terminate,
)
from constellationdb.wire.parser import FrontendParser
from tests.unit.wire import frontend_bytes as fe

_CONVERSATION: list[tuple[bytes, FrontendMessage]] = [
    (fe.SSL_REQUEST, EncryptionRequest("ssl")),
    (fe.GSS_REQUEST, EncryptionRequest("gss")),
    (fe.startup(user="me", database="d"), Startup(0, {"user": "me", "database": "d"})),
    (fe.query("select 'é'"), Query("select 'é'")),
    (fe.parse("select $1", "s", (23, 4_000_000_000)), Parse("s", "select $1", (23, 4_000_000_000))),
    (
        fe.bind(b"1", None, b"", portal="p", statement="s", formats=(0, 1, 0), results=(1,)),
        Bind("p", "s", (0, 1, 0), (b"1", None, b""), (1,)),
    ),
    (fe.bind(), Bind("", "")),
    (fe.describe("S", "s"), Describe("S", "s")),
    (fe.describe("P"), Describe("P", "")),
    (fe.execute("p", 7), Execute("p", 7)),
    (fe.execute("p", -1), Execute("p", 0)),
    (fe.close("P", "p"), Close("P", "p")),
    (fe.FLUSH, Flush()),
    (fe.SYNC, Sync()),
    (fe.copy_data(b"1\t2\n"), CopyData(b"1\t2\n")),
    (fe.copy_data(b""), CopyData(b"")),
    (fe.COPY_DONE, CopyDone()),
    (fe.copy_fail("no"), CopyFail("no")),
    (fe.message("F", b"anything"), FunctionCall()),
    (fe.message("Q", b"\xff\0"), Garbled('invalid byte sequence for encoding "UTF8": 0xff', is_query=True)),
    (fe.message("P", b"s\0\xe9\0\0\0"), Garbled('invalid byte sequence for encoding "UTF8": 0xe9', is_query=False)),
    (fe.TERMINATE, Terminate()),
]
_STREAM = b"".join(data for data, _ in _CONVERSATION)
_MESSAGES = [message for _, message in _CONVERSATION]


def drained(parser: FrontendParser) -> list[FrontendMessage]:
    found = []
    while (message := parser.next_message()) is not None:
        found.append(message)
    return found


def started(limit: int = 1 << 20) -> FrontendParser:
    parser = FrontendParser(limit)
    parser.receive(fe.startup(user="u"))
    drained(parser)
    return parser


def test_every_message_is_read() -> None:
    parser = FrontendParser()
    parser.receive(_STREAM)
    assert drained(parser) == _MESSAGES


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_the_stream_may_be_cut_anywhere(size: int) -> None:
    parser, found = FrontendParser(), list[FrontendMessage]()
    for start in range(0, len(_STREAM), size):
        parser.receive(_STREAM[start : start + size])
        found += drained(parser)
    assert found == _MESSAGES


def test_a_cancel_request_has_a_key_of_any_length_the_protocol_knows() -> None:
    for secret in (b"1234", b"x" * 32, b"y" * 256):
        parser = FrontendParser()
        parser.receive(fe.cancel_request(7, secret))
        assert drained(parser) == [CancelRequest(7, secret)]


def test_protocol_options_are_kept_apart_from_settings() -> None:
    parser = FrontendParser()
    parser.receive(fe.startup(2, user="u", **{"_pq_.compression": "on"}))
    assert drained(parser) == [Startup(2, {"user": "u"}, ("_pq_.compression",))]


_MALFORMED_STARTUPS = {
    "an HTTP request": (b"GET / HTTP/1.1\r\n\r\n", "invalid length of startup packet"),
    "too short": (struct.pack(">i", 4), "invalid length of startup packet: 4"),
    "negative length": (struct.pack(">i", -1), "invalid length of startup packet: -1"),
    "more than 10 kB": (struct.pack(">i", 10_001), "invalid length of startup packet: 10001"),
    "protocol 2": (struct.pack(">ii", 8, 2 << 16), "unsupported frontend protocol 2.0"),
    "no terminator": (struct.pack(">ii", 9, 3 << 16) + b"u", "invalid string in message"),
    "a name without value": (struct.pack(">ii", 10, 3 << 16) + b"u\0", "invalid string in message"),
    "bytes after the end": (struct.pack(">ii", 10, 3 << 16) + b"\0\0", "invalid message format"),
    "a cancel key of 2 bytes": (fe.cancel_request(1, b"12"), "invalid length of cancel key"),
}


@pytest.mark.parametrize("case", _MALFORMED_STARTUPS)
def test_a_malformed_startup_is_refused(case: str) -> None:
    data, message = _MALFORMED_STARTUPS[case]
    parser = FrontendParser()
    parser.receive(data)
    with pytest.raises(ProtocolViolation, match=message):
        drained(parser)


_MALFORMED_MESSAGES = {
    "an unknown type": (b"z\x00\x00\x00\x04", "invalid frontend message type 122"),
    "a length below four": (b"Q\x00\x00\x00\x03", "invalid message length 3"),
    "a length above the limit": (b"Q" + struct.pack(">i", 2 << 20), "invalid message length 2097152"),
    "a query without terminator": (fe.message("Q", b"select 1"), "invalid string in message"),
    "a query of two strings": (fe.message("Q", b"a\0b\0"), "invalid message format"),
    "a password that nobody asked for": (fe.message("p", b"secret\0"), "invalid frontend message type 112"),
    "a parse that promises oids": (fe.message("P", b"\0\0\xff\xff"), "insufficient data left in message"),
    "a bind with a value past the end": (
        fe.message("B", b"\0\0\0\0\0\1" + struct.pack(">i", 100) + b"\0\0"),
        "insufficient data left in message",
    ),
    "a bind with a negative length": (
        fe.message("B", b"\0\0\0\0\0\1" + struct.pack(">i", -2) + b"\0\0"),
        "insufficient data left in message",
    ),
    "a bind with an unknown format": (fe.bind(b"1", formats=(2,)), "unsupported format code: 2"),
    "a bind with formats for other values": (fe.bind(b"1", formats=(0, 0)), "2 parameter formats but 1 parameters"),
    "a describe of nothing known": (fe.message("D", b"X\0"), "invalid subtype 88"),
    "an execute without its limit": (fe.message("E", b"\0"), "insufficient data left in message"),
    "a sync with a body": (fe.message("S", b"x"), "invalid message format"),
}


@pytest.mark.parametrize("case", _MALFORMED_MESSAGES)
def test_a_malformed_message_is_refused_and_the_stream_stays_dead(case: str) -> None:
    data, message = _MALFORMED_MESSAGES[case]
    parser = started()
    parser.receive(fe.SYNC + data)
    assert parser.next_message() == Sync()
    for _ in range(2):
        with pytest.raises(ProtocolViolation, match=message):
            parser.next_message()
        parser.receive(fe.SYNC)


def test_a_message_at_the_limit_passes() -> None:
    parser = started(limit=100)
    parser.receive(fe.copy_data(b"x" * 96))
    assert drained(parser) == [CopyData(b"x" * 96)]
    parser.receive(fe.copy_data(b"x" * 97))
    with pytest.raises(ProtocolViolation, match="invalid message length 101"):
        drained(parser)


def _survives(parser: FrontendParser, data: bytes, rng: random.Random) -> None:
    """Whatever comes out is a message or a ProtocolViolation, and no call answers for ever."""
    at = 0
    while at < len(data):
        step = rng.choice((1, 5, 50, 1000))
        parser.receive(data[at : at + step])
        at += step
        try:
            assert len(drained(parser)) <= len(data)
        except ProtocolViolation:
            return


@pytest.mark.parametrize("seed", range(8))
def test_random_bytes_never_hurt(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(400):
        parser = started() if rng.random() < 0.7 else FrontendParser()
        lead = rng.choice((b"", b"Q\0\0\0", b"B\0\0\0", b"P\0\0\0", b"\0\0\0"))
        _survives(parser, lead + rng.randbytes(rng.randrange(1, 300)), rng)


@pytest.mark.parametrize("seed", range(8))
def test_mutated_messages_never_hurt(seed: int) -> None:
    rng = random.Random(seed)
    violations = 0
    for _ in range(400):
        data = bytearray(_STREAM if rng.random() < 0.5 else b"".join(d for d, _ in rng.choices(_CONVERSATION[2:], k=6)))
        for _ in range(rng.randrange(1, 5)):
            _mutate(data, rng)
        parser = FrontendParser() if rng.random() < 0.5 else started()
        parser.receive(bytes(data))
        try:
            drained(parser)
        except ProtocolViolation:
            violations += 1
    assert violations > 50  # the mutations do reach what the parser checks


def _mutate(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data))
    match rng.randrange(4):
        case 0:
            data[at] = rng.randrange(256)
        case 1:
            del data[at : at + rng.randrange(1, 9)]
            data += b"\0"
        case 2:
            data[at:at] = rng.randbytes(rng.randrange(1, 9))
        case _:
            data[at : at + 4] = struct.pack(">i", rng.choice((-1, 0, 1, 4, 2**31 - 1, -(2**31), 65_535)))
