"""Time zones: how far a zone's clocks are from UTC at an instant, its history included.

A ``Zone`` is a table of instants at which its offset changes. The instants come
from the zone's file (RFC 8536); where the file ends with a rule for all
years to come, four hundred more years are tabulated: then the calendar, and
with it the rule, repeats.
"""

from __future__ import annotations

import io
import re
import struct
from datetime import UTC, datetime
from functools import cache, cached_property, lru_cache
from importlib import resources
from pathlib import Path
from typing import Protocol
from zoneinfo import TZPATH, ZoneInfo, available_timezones

import numpy as np
from numpy.typing import NDArray

from constellationdb.catalog.text.abbreviations import ABBREVIATIONS

I64 = NDArray[np.int64]

_US = 1_000_000
_CYCLE_S = 146_097 * 86_400  # 400 years
_MONTH_S = 28 * 86_400
_LEAST, _GREATEST = -(1 << 63), (1 << 63) - 1
_LONGEST_OFFSET_S = 168 * 3600
_FIXED = re.compile(r"(?:<[^>]+>|[A-Za-z]{3,})([+-]?)(\d{1,3})(?::(\d{1,2}))?(?::(\d{1,2}))?")


class Zone:
    """Named as SHOW timezone prints it. ``fixed`` is the offset of a zone that has only one."""

    def __init__(self, name: str, fixed: int | None = None) -> None:
        self.name = name
        self.fixed = fixed

    def __repr__(self) -> str:
        return f"Zone({self.name!r})"

    def offsets(self, us: I64) -> I64:
        """Seconds east of UTC, for each instant in microseconds since 1970; one for all if they are the same."""
        if self.fixed is not None:
            return np.array([self.fixed], np.int64)
        begins, offsets, end = self._table
        beyond = us >= end
        if beyond.any():
            us = np.where(beyond, us - ((us - end) // (_CYCLE_S * _US) + 1) * (_CYCLE_S * _US), us)
        return offsets[np.searchsorted(begins, us, "right") - 1]

    def instants(self, local: I64) -> I64:
        """When its clocks show each of the ``local`` times, in microseconds since 1970.

        A time that they skip is counted with the offset before; of a time that they show twice, the later is meant.
        Both come down to one rule: an offset holds from the local time that it begins with.
        """
        if self.fixed is not None:
            return local - self.fixed * _US
        begins, offsets, end = self._table
        shown = np.maximum.accumulate(np.concatenate([begins[:1], begins[1:] + offsets[1:] * _US]))
        cycles = np.where(local >= end, (local - end) // (_CYCLE_S * _US) + 1, 0)
        found: I64 = offsets[np.searchsorted(shown, local - cycles * (_CYCLE_S * _US), "right") - 1]
        return local - found * _US

    def instant(self, local: int) -> int:
        return int(self.instants(np.array([local], np.int64))[0])

    def locals(self, us: I64) -> I64:
        """What its clocks show, in microseconds since 1970, at each instant."""
        return us + self.offsets(us) * _US

    def reach_us(self) -> tuple[int, int]:
        """How far its clocks were ever ahead of UTC, at the least and at the most."""
        offsets = np.array([self.fixed]) if self.fixed is not None else self._table[1]
        return int(offsets.min()) * _US, int(offsets.max()) * _US

    def offset(self, us: int) -> int:
        return int(self.offsets(np.array([us], np.int64))[0])

    @cached_property
    def _table(self) -> tuple[I64, I64, int]:
        """Since when, which offset, and where the repeated cycle of the table ends."""
        begins, offsets, has_rule = _file_table(self.name)
        if has_rule:
            _follow_rule(ZoneInfo(self.name), begins, offsets)
        end = begins[-1] * _US if has_rule else _GREATEST
        starts = np.array([_LEAST, *(b * _US for b in begins[1:])], np.int64)
        return starts, np.array(offsets, np.int64), end


UTC_ZONE = Zone("UTC", 0)


@lru_cache(maxsize=256)
def zone_named(text: str) -> Zone | None:
    """The zone Postgres would take ``text`` for: a name, hours, or POSIX' ``XYZ-2``; None when there is none."""
    if is_number(text):
        return _of_hours(float(text))
    name = _names().get(text.lower())
    if name is not None:
        return UTC_ZONE if name == "UTC" else Zone(name)
    return _posix(text)


@lru_cache(maxsize=256)
def zone_of_expression(text: str) -> Zone | None:
    """The zone that AT TIME ZONE takes ``text`` for: an abbreviation, a name, or POSIX' ``XYZ-2``, also without XYZ."""
    offset = ABBREVIATIONS.get(text.lower())
    if offset is not None:
        return UTC_ZONE if text.lower() == "utc" else Zone(text, offset)
    if not text or text[0] in "+-" or text[0].isdigit():
        return _posix("ABC" + text)
    return zone_named(text)


def is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)", text) is not None


def offset_text(seconds: int) -> str:
    """``+02``, ``-03:30``, ``+00:53:28``."""
    size = abs(seconds)
    parts = [size // 3600, size // 60 % 60, size % 60]
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    return ("-" if seconds < 0 else "+") + ":".join(f"{part:02d}" for part in parts)


def _of_hours(hours: float) -> Zone | None:
    if not abs(hours) < _LONGEST_OFFSET_S / 3600:
        return None
    seconds = int(hours * 3600)
    return Zone(f"<{offset_text(seconds)}>{offset_text(-seconds)}", seconds)


def _posix(text: str) -> Zone | None:
    """POSIX counts west of Greenwich."""
    found = _FIXED.fullmatch(text)
    if found is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in found.groups()[1:])
    offset = hours * 3600 + minutes * 60 + seconds
    if offset >= _LONGEST_OFFSET_S or minutes > 59 or seconds > 59:
        return None
    return Zone(text, offset if found[1] == "-" else -offset)


@cache
def _names() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones()}


class _Readable(Protocol):
    def read_bytes(self) -> bytes: ...


def _file(name: str) -> _Readable:
    for folder in TZPATH:
        if (path := Path(folder, name)).is_file():
            return path
    return resources.files("tzdata").joinpath("zoneinfo", *name.split("/"))


def _file_table(name: str) -> tuple[list[int], list[int], bool]:
    """The changes that the file lists, before the first of which the first offset holds, and whether a rule follows."""
    stream = io.BytesIO(_file(name).read_bytes())
    times, types, chars, leaps, standard, universal = _counts(stream)
    stream.seek(times * 5 + types * 6 + chars + leaps * 8 + standard + universal, io.SEEK_CUR)
    times, types, chars, leaps, standard, universal = _counts(stream)
    begins = np.frombuffer(stream.read(8 * times), ">i8").tolist()
    kinds = stream.read(times)
    offsets = [struct.unpack(">ibB", stream.read(6))[0] for _ in range(types)]
    stream.seek(chars + leaps * 12 + standard + universal, io.SEEK_CUR)
    rule = stream.read().strip()
    return [_LEAST // _US, *begins], [offsets[0], *(offsets[kind] for kind in kinds)], b"," in rule


def _counts(stream: io.BytesIO) -> tuple[int, ...]:
    universal, standard, leaps, times, types, chars = struct.unpack(">20x6l", stream.read(44))
    return times, types, chars, leaps, standard, universal


def _follow_rule(zone: ZoneInfo, begins: list[int], offsets: list[int]) -> None:
    """A rule changes the offset twice a year, so looking once a month finds every change."""
    time = begins[-1]
    end = time + _CYCLE_S
    while time < end:
        later = min(time + _MONTH_S, end)
        offset = _offset_at(zone, later)
        if offset != offsets[-1]:
            begins.append(_change(zone, time, later, offset))
            offsets.append(offset)
        time = later
    if begins[-1] != end:
        begins.append(end)
        offsets.append(offsets[-1])


def _change(zone: ZoneInfo, before: int, after: int, offset: int) -> int:
    """The first second of ``offset``, which does not hold ``before`` and does ``after``."""
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (before, middle) if _offset_at(zone, middle) == offset else (middle, after)
    return after


def _offset_at(zone: ZoneInfo, time: int) -> int:
    found = datetime.fromtimestamp(time, UTC).astimezone(zone).utcoffset()
    assert found is not None
    return round(found.total_seconds())
