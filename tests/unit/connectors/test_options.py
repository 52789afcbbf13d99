"""Options: typed, defaulted, and every mistake named with what was found and what is expected."""

import pytest

from constellationdb.connectors.options import Option, duration_us, read_options, timestamp_us
from constellationdb.connectors.registry import open_lookup, open_source
from constellationdb.errors import InvalidParameter

DECLARED = (
    Option("path", required=True),
    Option("rows", "integer", "10", minimum=1),
    Option("wait", "duration", "2s"),
    Option("shape", "choice", "round", choices=("round", "flat")),
    Option("follow", "flag", "false"),
    Option("password", "integer", secret=True),
)


def test_bare_and_qualified_names_mean_the_same() -> None:
    settings = read_options("file", DECLARED, {"file.path": "x", "rows": "7", "connector": "file"})
    assert (settings.text("path"), settings.integer("rows")) == ("x", 7)
    assert settings.integer("wait") == 2_000_000
    assert settings.flag("follow") is False
    assert settings.given == {"path", "rows"}


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        ({}, 'connector "file" needs option "path"', "it is a text that is not empty"),
        ({"path": "x", "rwos": "1"}, 'connector "file" has no option "rwos"', 'did you mean "rows"?'),
        (
            {"path": "x", "zzz": "1"},
            'connector "file" has no option "zzz"',
            "it takes follow, password, path, rows, shape, wait",
        ),
        (
            {"path": "x", "rows": "many"},
            'invalid value for option "rows" of connector "file": "many"',
            "expected a whole number, at least 1",
        ),
        (
            {"path": "x", "rows": "0"},
            'invalid value for option "rows" of connector "file": "0"',
            "expected a whole number, at least 1",
        ),
        (
            {"path": "x", "shape": "square"},
            'invalid value for option "shape" of connector "file": "square"',
            "expected one of round, flat",
        ),
        (
            {"path": "x", "follow": "maybe"},
            'invalid value for option "follow" of connector "file": "maybe"',
            "expected true or false",
        ),
        (
            {"path": "x", "password": "hunter2"},
            'invalid value for option "password" of connector "file": its value',
            "expected a whole number",
        ),
        ({"path": "x", "file.path": "y"}, 'option "path" of connector "file" is given twice', None),
    ],
)
def test_mistakes_are_named(given: dict[str, str], message: str, hint: str | None) -> None:
    with pytest.raises(InvalidParameter) as caught:
        read_options("file", DECLARED, given)
    assert (caught.value.message, caught.value.hint) == (message, hint)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2s", 2_000_000), ("500 ms", 500_000), ("250", 250_000), ("1.5 minutes", 90_000_000), ("1 hour", 3_600_000_000)],
)
def test_durations(text: str, expected: int) -> None:
    assert duration_us(text) == expected


@pytest.mark.parametrize("text", ["", "-1s", "fast", "1 fortnight", "nan"])
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        duration_us(text)


def test_timestamps_are_utc_unless_they_say_otherwise() -> None:
    assert timestamp_us("1970-01-02 00:00:00.5") == 86_400_500_000
    assert timestamp_us("1970-01-01T02:00:00+02:00") == 0


def test_unknown_connectors_name_the_known_ones() -> None:
    with pytest.raises(InvalidParameter, match='no source connector "kafka"') as caught:
        open_source("kafka", None, {})
    assert caught.value.hint == "there are file, generator"
    import pyarrow as pa

    with pytest.raises(InvalidParameter, match='no lookup connector "redis"') as caught:
        open_lookup("redis", pa.schema([("k", pa.int64())]), ["k"], {})
    assert caught.value.hint == "there are file, inline, postgres"
