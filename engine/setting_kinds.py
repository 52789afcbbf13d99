"""What values a setting takes: text in, the text that SHOW prints out, or 22023 in Postgres' words.

Numbers with a unit are kept in the setting's own unit and shown in the largest
one that keeps them whole: ``60000`` of a time in ms is ``1min``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from constellationdb.errors import InvalidParameter

_BOOLEANS = {"true": "on", "yes": "on", "on": "on", "1": "on", "false": "off", "no": "off", "off": "off", "0": "off"}
_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-z]*)\s*")
_TIMES = {"us": 0.001, "ms": 1.0, "s": 1e3, "min": 6e4, "h": 3.6e6, "d": 8.64e7}
_SIZES = {"B": 1 / 1024, "kB": 1.0, "MB": 1024.0, "GB": 1024.0**2, "TB": 1024.0**3}
_BASES = {"ms": 1.0, "s": 1e3, "min": 6e4, "B": 1 / 1024, "kB": 1.0, "8kB": 8.0, "MB": 1024.0}
_HINTS = {
    "time": 'Valid units for this parameter are "us", "ms", "s", "min", "h", and "d".',
    "size": 'Valid units for this parameter are "B", "kB", "MB", "GB", and "TB".',
}
_MOST = 2**31 - 1


class Kind(Protocol):
    """``read`` gives a value its one spelling; ``name`` is for the message."""

    def read(self, name: str, value: str) -> str: ...


def invalid(name: str, value: str, *, detail: str | None = None, hint: str | None = None) -> InvalidParameter:
    return InvalidParameter(f'invalid value for parameter "{name}": "{value}"', detail=detail, hint=hint)


def boolean(value: str) -> str | None:
    """``on`` or ``off``; as in Postgres any beginning of a word that can be no other is enough."""
    lowered = value.strip().lower()
    found = {shown for word, shown in _BOOLEANS.items() if lowered and word.startswith(lowered)}
    return found.pop() if len(found) == 1 else None


@dataclass(frozen=True)
class Boolean:
    def read(self, name: str, value: str) -> str:
        found = boolean(value)
        if found is None:
            raise InvalidParameter(f'parameter "{name}" requires a Boolean value')
        return found


@dataclass(frozen=True)
class Number:
    """``unit``: what a bare number counts, one of ms, s, kB, 8kB …; empty for a plain number."""

    least: float
    most: float
    unit: str = ""
    whole: bool = True

    def read(self, name: str, value: str) -> str:
        number = self._parsed(name, value)
        if not self.least <= number <= self.most:
            unit = f" {self.unit}" if self.unit else ""
            raise InvalidParameter(
                f'{number:g}{unit} is outside the valid range for parameter "{name}"'
                f" ({_bound(self.least)} .. {_bound(self.most)})"
            )
        return self._shown(number)

    def _parsed(self, name: str, value: str) -> float:
        found = _NUMBER.fullmatch(value)
        if found is None:
            started = self.unit and re.match(r"\s*[+-]?\d", value)
            raise invalid(name, value, hint=self._hint if started else None)
        number = float(found[1])
        if found[2]:
            units = self._units
            if found[2] not in units:
                raise invalid(name, value, hint=self._hint)
            number *= units[found[2]] / _BASES[self.unit]
        if self.whole:
            if abs(number) > _MOST:
                raise invalid(name, value, hint="Value exceeds integer range.")
            number = round(number)
        return number

    def bare(self, shown: str) -> str:
        """What SHOW prints, as a number of the setting's own unit."""
        return _bound(self._parsed("", shown))

    @property
    def _units(self) -> dict[str, float]:
        if not self.unit:
            return {}
        return _TIMES if self.unit in _TIMES else _SIZES

    @property
    def _hint(self) -> str | None:
        return None if not self.unit else _HINTS["time" if self.unit in _TIMES else "size"]

    def _shown(self, number: float) -> str:
        if not self.unit or number <= 0:
            return _bound(number)
        amount = number * _BASES[self.unit]
        for unit, size in sorted(self._units.items(), key=lambda item: -item[1]):
            count = amount / size
            if abs(count - round(count)) < 1e-9 and count >= 1:
                return f"{round(count)}{unit}"
        return f"{_bound(number)}{self.unit}"


def _bound(number: float) -> str:
    return str(int(number)) if number == int(number) and abs(number) < 1e15 else f"{number:g}"


@dataclass(frozen=True)
class Choice:
    """``also``: spellings that are taken but not offered, and what they mean."""

    values: tuple[str, ...]
    also: dict[str, str] = field(default_factory=dict)

    def read(self, name: str, value: str) -> str:
        lowered = value.strip().lower()
        if lowered in self.values:
            return lowered
        if lowered in self.also:
            return self.also[lowered]
        raise invalid(name, value, hint=f"Available values: {', '.join(self.values)}.")


@dataclass(frozen=True)
class Text:
    """Any text, or what ``check`` makes of it. ``listed``: SET takes several values."""

    check: Callable[[str, str], str] | None = None
    listed: bool = False

    def read(self, name: str, value: str) -> str:
        return value if self.check is None else self.check(name, value)
