"""What the flat decoder accepts, the decoder for any JSON reads the same."""

from __future__ import annotations

import json
import random
from typing import Any

import pyarrow as pa
import pytest

from constellationdb.connectors.file.flat_json import FlatJson
from constellationdb.connectors.file.json_decoder import JsonDecoder

_SCHEMA = pa.schema(
    [("n", pa.int64()), ("small", pa.int16()), ("s", pa.string()), ("at", pa.timestamp("us")), ("ok", pa.bool_())]
)
_PLAIN = {"n": -5, "small": 7, "s": "naïve ✓", "at": "2024-02-29 23:59:59.5", "ok": True}


def _flat(lines: bytes, schema: pa.Schema = _SCHEMA) -> pa.RecordBatch | None:
    reader = FlatJson.of(schema)
    assert reader is not None
    return reader.read(lines, lines.count(b"\n"))


def _slow(lines: bytes, schema: pa.Schema = _SCHEMA) -> pa.RecordBatch:
    decoder = JsonDecoder(schema)
    decoder._flat = None
    return decoder.decode(lines, lines.count(b"\n"))


def _line(**changes: Any) -> bytes:
    return json.dumps(_PLAIN | changes, ensure_ascii=False).encode() + b"\n"


def _value(rnd: random.Random, name: str) -> Any:
    if rnd.random() < 0.1:
        return None
    match name:
        case "n":
            return rnd.choice([0, -1, rnd.randrange(-(10**18) + 1, 10**18)])
        case "small":
            return rnd.randrange(-(1 << 15), 1 << 15)
        case "s":
            return "".join(rnd.choice("ab {}:,é☃𝄞") for _ in range(rnd.randrange(20)))
        case "at":
            day = f"{rnd.randrange(1, 9999):04}-{rnd.randrange(1, 13):02}-{rnd.randrange(1, 29):02}"
            fraction = rnd.choice(["", f".{rnd.randrange(10**6):06}", f".{rnd.randrange(1000)}"])
            time = f"{rnd.randrange(24):02}:{rnd.randrange(60):02}:{rnd.randrange(60):02}"
            return f"{day}{rnd.choice(' T')}{time}{fraction}"
        case _:
            return rnd.random() < 0.5


@pytest.mark.parametrize("seed", range(30))
def test_plain_records_are_read_as_by_the_library(seed: int) -> None:
    rnd = random.Random(seed)
    names = rnd.sample(_SCHEMA.names, rnd.randrange(1, 6))
    separators = rnd.choice([(",", ":"), (", ", ": ")])
    records = [{name: _value(rnd, name) for name in names} for _ in range(rnd.randrange(1, 60))]
    end = rnd.choice(["\n", "\r\n"])
    lines = "".join(json.dumps(r, ensure_ascii=False, separators=separators) + end for r in records).encode()
    found = _flat(lines)
    assert found is not None
    found.validate(full=True)
    assert found.equals(_slow(lines))


@pytest.mark.parametrize(
    "line",
    [
        _line(s='with "quotes"'),
        _line(s="back\\slash"),
        _line(s="a\ttab"),
        _line(s=5),
        _line(s={"a": 1}),
        _line(n=1.5),
        _line(n="5"),
        _line(n=10**18),
        _line(n=2**63),
        _line(small=1 << 15),
        _line(small=-(1 << 15) - 1),
        _line(ok="true"),
        _line(ok=1),
        _line(at="2024-02-30 00:00:00"),
        _line(at="2023-02-29 00:00:00"),
        _line(at="2024-13-01 00:00:00"),
        _line(at="2024-01-01 24:00:00"),
        _line(at="2024-01-01 00:60:00"),
        _line(at="2024-01-01 00:00:00Z"),
        _line(at="2024-01-01 00:00:00."),
        _line(at="2024-01-01 00:00:00.1234567"),
        _line(at="2024-01-01"),
        _line(more=1),
        _line().replace(b"-5", b"-05"),
        _line().replace(b"-5", b"-"),
        _line().replace(b"-5", b"+5"),
        _line().replace(b"true", b"tru"),
        _line().replace(b"true", b"nul"),
        _line().replace(b'"s"', b'"n"'),
        _line().replace(b"}", b" }"),
        _line().replace(b"}", b"},"),
        _line().replace(b"\n", b""),
        _line()[:40] + b"\n",
        b"\n",
        b"5\n",
        b"[1]\n",
        b"{}\n",
        _line() + b"\n",
        _line() + json.dumps({"s": "x", **_PLAIN}).encode() + b"\n",
    ],
)
def test_whatever_is_not_plain_is_left_to_others(line: bytes) -> None:
    assert _flat(line) is None
    assert _flat(_line() + line) is None


@pytest.mark.parametrize("kind", [pa.float64(), pa.decimal128(10, 2), pa.binary(), pa.timestamp("us", "UTC")])
def test_some_types_are_not_for_it(kind: pa.DataType) -> None:
    assert FlatJson.of(pa.schema([("a", kind)])) is None


def test_leap_years_as_the_calendar_has_them() -> None:
    schema = pa.schema([("at", pa.timestamp("us"))])
    days = [f"{year}-{day}" for year in ("1600", "1900", "2000", "2023", "2024", "0004") for day in ("02-28", "03-01")]
    days += ["1600-02-29", "2000-02-29", "2024-02-29", "0001-01-01", "9999-12-31", "1969-12-31", "1970-01-01"]
    lines = "".join(f'{{"at":"{day} 12:34:56.789"}}\n' for day in days).encode()
    assert _slow(lines, schema).equals(_flat(lines, schema))
