"""Patterns that are constants: LIKE … ESCAPE, to_char and to_date, in DataFusion's words."""

from __future__ import annotations

import re

from constellationdb.errors import FeatureNotSupported

_FIELDS = {
    "YYYY": "%Y", "MM": "%m", "DDD": "%j", "DD": "%d", "HH24": "%H", "HH12": "%I", "HH": "%I", "MI": "%M", "SS": "%S",
    "MS": "%3f", "US": "%6f", "AM": "%p", "PM": "%p", "Mon": "%b", "Dy": "%a", "IYYY": "%G", "IW": "%V",
}  # fmt: skip
_FIELD = re.compile("|".join(sorted(_FIELDS, key=len, reverse=True)) + r'|"[^"]*"|.', re.DOTALL)


def like(pattern: str, escape: str) -> str:
    """``pattern`` with a backslash where it had ``escape``."""
    made, quoted = [], False
    for letter in pattern:
        if not quoted and letter == escape:
            quoted = True
            continue
        made.append("\\" + letter if quoted or letter == "\\" else letter)
        quoted = False
    return "".join(made)


def similar(pattern: str, escape: str) -> str:
    """A pattern of SIMILAR TO as a regular expression of the whole text."""
    made, listing, letters = [], False, iter(pattern)
    for letter in letters:
        if letter == escape:
            following = next(letters, "")
            if following == '"':
                raise FeatureNotSupported("parts of a pattern of SIMILAR TO are not supported")
            made.append("\\" + following)
        elif listing:
            made.append("\\\\" if letter == "\\" else letter)
            listing = letter != "]"
        else:
            listing = letter == "["
            made.append(_SIMILAR.get(letter, letter))
    return f"^(?:{''.join(made)})$"


_SIMILAR = {"%": ".*", "_": ".", "(": "(?:", **{letter: "\\" + letter for letter in "\\.^$"}}
_ESCAPES = {"m": r"\b{start}", "M": r"\b{end}", "y": r"\b", "Y": r"\B", "Z": r"\z"}


def regex(pattern: str) -> str:
    """Postgres' escapes for the ends of words and texts in those of DataFusion; a dot is also a line end."""
    said = re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), pattern, flags=re.DOTALL)
    return "(?s)" + said if "." in said else said


def date_format(function: str, template: str, position: int | None) -> str:
    """A template of to_char(timestamp, …) or to_date, where each of its fields is known."""
    made = []
    for part in _FIELD.findall(template):
        if part in _FIELDS:
            made.append(_FIELDS[part])
        elif part.isalnum():
            raise FeatureNotSupported(f'{function} does not know "{part}" in its template yet', position=position)
        else:
            made.append((part[1:-1] if part.startswith('"') else part).replace("%", "%%"))
    return "".join(made)
