"""The options of a connector: one table each, read into typed settings, wrong ones named.

A connector declares what it takes as a tuple of ``Option``; ``read_options``
turns the texts of ``WITH (…)`` into ``Settings``. A key may carry its
connector's name (``generator.rate``) or stand bare (``rate``).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from constellationdb.errors import InvalidParameter

Kind = Literal["text", "integer", "number", "flag", "duration", "timestamp", "choice", "character"]

_UNITS_US = {
    "us": 1, "µs": 1, "microsecond": 1, "microseconds": 1,
    "": 1_000, "ms": 1_000, "millisecond": 1_000, "milliseconds": 1_000,
    "s": 1_000_000, "sec": 1_000_000, "second": 1_000_000, "seconds": 1_000_000,
    "m": 60_000_000, "min": 60_000_000, "minute": 60_000_000, "minutes": 60_000_000,
    "h": 3_600_000_000, "hour": 3_600_000_000, "hours": 3_600_000_000,
    "d": 86_400_000_000, "day": 86_400_000_000, "days": 86_400_000_000,
}  # fmt: skip

_EXPECTED: dict[Kind, str] = {
    "text": "a text that is not empty",
    "integer": "a whole number",
    "number": "a number",
    "flag": "true or false",
    "duration": "a duration like '2s', '500ms' or '1 minute' (a bare number is milliseconds)",
    "timestamp": "a timestamp like '2024-01-01 00:00:00'",
    "choice": "one of its choices",
    "character": "a single character, or 'tab'",
}


@dataclass(frozen=True)
class Option:
    """``default`` is written as a user would write it; None means there is none."""

    name: str
    kind: Kind = "text"
    default: str | None = None
    required: bool = False
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    secret: bool = False  # never shown in a message

    @property
    def expected(self) -> str:
        if self.kind == "choice":
            return "one of " + ", ".join(self.choices)
        unit = " µs" if self.kind == "duration" else ""
        bounds = ""
        if self.minimum is not None:
            bounds += f", at least {self.minimum:g}{unit}"
        if self.maximum is not None:
            bounds += f", at most {self.maximum:g}{unit}"
        return _EXPECTED[self.kind] + bounds


Value = str | int | float | bool


@dataclass(frozen=True)
class Settings:
    """What was set or defaulted, each under its bare name and already of its type."""

    connector: str
    values: Mapping[str, Value] = field(default_factory=dict)
    given: frozenset[str] = frozenset()

    def has(self, name: str) -> bool:
        return name in self.values

    def text(self, name: str) -> str:
        value = self.values[name]
        assert isinstance(value, str), name
        return value

    def text_or_none(self, name: str) -> str | None:
        return self.text(name) if name in self.values else None

    def integer(self, name: str) -> int:
        """An integer, a flag's 0 or 1, or a duration or timestamp in µs."""
        value = self.values[name]
        assert isinstance(value, int), name
        return value

    def number(self, name: str) -> float:
        value = self.values[name]
        assert isinstance(value, int | float), name
        return float(value)

    def flag(self, name: str) -> bool:
        value = self.values[name]
        assert isinstance(value, bool), name
        return value


def read_options(
    connector: str, declared: Sequence[Option], options: Mapping[str, str], *, called: str | None = None
) -> Settings:
    """The typed settings; InvalidParameter for an unknown, malformed, doubled or missing option.

    ``called``: how messages name the owner of the options, where it is no connector.
    """
    owner = called or f'connector "{connector}"'
    by_name = {option.name: option for option in declared}
    values: dict[str, Value] = {}
    for key, found in options.items():
        if key == "connector":
            continue
        name = _bare_name(connector, key)
        if name not in by_name:
            raise _unknown(owner, _bare_name(connector, key), key, by_name)
        if name in values:
            raise InvalidParameter(f'option "{name}" of {owner} is given twice')
        values[name] = _read(owner, by_name[name], found)
    given = frozenset(values)
    for option in declared:
        if option.name in values:
            continue
        if option.required:
            raise InvalidParameter(f'{owner} needs option "{option.name}"', hint=f"it is {option.expected}")
        if option.default is not None:
            values[option.name] = _read(owner, option, option.default)
    return Settings(connector, values, given)


def duration_us(text: str) -> int:
    """'2s', '1.5 minutes' or '250' (milliseconds) in µs; ValueError when it is none."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zµ]*)\s*", text.lower())
    if match is None or match[2] not in _UNITS_US:
        raise ValueError(text)
    return round(float(match[1]) * _UNITS_US[match[2]])


def timestamp_us(text: str) -> int:
    """µs since the Unix epoch; without a zone it is UTC."""
    parsed = datetime.fromisoformat(text.strip())
    zoned = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    since = zoned - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _flag(text: str) -> bool:
    lowered = text.strip().lower()
    if lowered in ("true", "t", "yes", "on", "1"):
        return True
    if lowered in ("false", "f", "no", "off", "0"):
        return False
    raise ValueError(text)


def _character(text: str) -> str:
    named = {"tab": "\t", "\\t": "\t", "comma": ",", "pipe": "|", "semicolon": ";"}.get(text.lower(), text)
    if len(named.encode()) != 1:
        raise ValueError(text)
    return named


def _text(text: str) -> str:
    return text


_READERS: dict[Kind, Callable[[str], Value]] = {
    "text": _text,
    "integer": lambda text: int(text.strip().replace("_", "")),
    "number": lambda text: float(text.strip()),
    "flag": _flag,
    "duration": duration_us,
    "timestamp": timestamp_us,
    "choice": lambda text: text.strip().lower(),
    "character": _character,
}


def _read(owner: str, option: Option, found: str) -> Value:
    try:
        value = _READERS[option.kind](found)
    except (ValueError, OverflowError):
        raise _malformed(owner, option, found) from None
    if option.kind == "choice" and value not in option.choices:
        raise _malformed(owner, option, found)
    if option.required and value == "":
        raise _malformed(owner, option, found)
    if isinstance(value, int | float):
        # written so that NaN is out of bounds
        too_small = option.minimum is not None and not value >= option.minimum
        too_large = option.maximum is not None and not value <= option.maximum
        if too_small or too_large:
            raise _malformed(owner, option, found)
    return value


def _malformed(owner: str, option: Option, found: str) -> InvalidParameter:
    shown = "its value" if option.secret else f'"{found}"'
    return InvalidParameter(
        f'invalid value for option "{option.name}" of {owner}: {shown}',
        hint=f"expected {option.expected}",
    )


def _bare_name(connector: str, key: str) -> str:
    prefix = connector + "."
    return key[len(prefix) :] if key.startswith(prefix) else key


def _unknown(owner: str, bare: str, key: str, known: Mapping[str, Option]) -> InvalidParameter:
    close = difflib.get_close_matches(bare, known, n=1)
    hint = f'did you mean "{close[0]}"?' if close else "it takes " + ", ".join(sorted(known))
    return InvalidParameter(f'{owner} has no option "{key}"', hint=hint)
