"""The words after COPY's WITH, checked as Postgres checks them, its defaults filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from constellationdb.errors import (
    FeatureNotSupported,
    InvalidParameter,
    SqlSyntaxError,
)

# A list of columns is a tuple of their names, or ("*",).
OptionValues = Mapping[str, str | tuple[str, ...]]

_FORMATS = ("text", "csv", "binary")
_NOT_DELIMITERS = "\\.abcdefghijklmnopqrstuvwxyz0123456789"
_TRUE, _FALSE = ("true", "on", "1"), ("false", "off", "0")


@dataclass(frozen=True)
class CopyOptions:
    """``force_*`` name columns; ``("*",)`` is all of them."""

    csv: bool = False
    binary: bool = False
    delimiter: str = "\t"
    null: str = "\\N"
    header: bool = False
    header_match: bool = False
    quote: str = '"'
    escape: str = '"'
    force_quote: tuple[str, ...] = ()
    force_not_null: tuple[str, ...] = ()
    force_null: tuple[str, ...] = ()


def copy_options(options: OptionValues, direction: Literal["in", "out"] = "in") -> CopyOptions:
    name = _word(options, "format", "text")
    csv = name == "csv"
    _check(options, csv, name == "binary", direction)
    header = _word(options, "header", "false").lower()
    quote = _word(options, "quote", '"')
    return CopyOptions(
        csv=csv,
        binary=name == "binary",
        delimiter=_word(options, "delimiter", "," if csv else "\t"),
        null=_word(options, "null", "" if csv else "\\N"),
        header=header not in _FALSE,
        header_match=header == "match",
        quote=quote,
        escape=_word(options, "escape", quote),
        force_quote=_columns(options, "force_quote"),
        force_not_null=_columns(options, "force_not_null"),
        force_null=_columns(options, "force_null"),
    )


def _word(options: OptionValues, name: str, default: str) -> str:
    value = options.get(name, default)
    assert isinstance(value, str)
    return value


def _columns(options: OptionValues, name: str) -> tuple[str, ...]:
    value = options.get(name, ())
    return (value,) if isinstance(value, str) else value


def _check(options: OptionValues, csv: bool, binary: bool, direction: str) -> None:
    """In Postgres' order: the first thing wrong is the one it names."""
    _check_words(options)
    if binary:
        for word in ("delimiter", "null"):
            if word in options:
                raise SqlSyntaxError(f"cannot specify {word.upper()} in BINARY mode")
    delimiter = _word(options, "delimiter", "," if csv else "\t")
    null = _word(options, "null", "" if csv else "\\N")
    _check_single("delimiter", delimiter)
    if delimiter in "\r\n":
        raise InvalidParameter("COPY delimiter cannot be newline or carriage return")
    if "\r" in null or "\n" in null:
        raise InvalidParameter("COPY null representation cannot use newline or carriage return")
    if not csv and delimiter in _NOT_DELIMITERS:
        raise InvalidParameter(f'COPY delimiter cannot be "{delimiter}"')
    if binary and _word(options, "header", "false").lower() not in _FALSE:
        raise FeatureNotSupported("cannot specify HEADER in BINARY mode")
    quote = _word(options, "quote", '"')
    _check_csv_only("quote", options, csv)
    if csv:
        _check_single("quote", quote)
        if delimiter == quote:
            raise InvalidParameter("COPY delimiter and quote must be different")
    _check_csv_only("escape", options, csv)
    if csv:
        _check_single("escape", _word(options, "escape", quote))
    for word, of in (("force_quote", "out"), ("force_not_null", "in"), ("force_null", "in")):
        _check_csv_only(word, options, csv)
        if word in options and direction != of:
            only = "TO" if of == "out" else "FROM"
            raise FeatureNotSupported(f"COPY {_spoken(word)} only available using COPY {only}")
    if delimiter in null:
        raise FeatureNotSupported("COPY delimiter must not appear in the NULL specification")
    if csv and quote in null:
        raise FeatureNotSupported("CSV quote character must not appear in the NULL specification")
    if direction == "out" and _word(options, "header", "").lower() == "match":
        raise FeatureNotSupported('cannot use "match" with HEADER in COPY TO')


def _check_words(options: OptionValues) -> None:
    name = _word(options, "format", "text")
    if name not in _FORMATS:
        raise InvalidParameter(f'COPY format "{name}" not recognized')
    header = _word(options, "header", "false").lower()
    if header not in (*_TRUE, *_FALSE, "match"):
        raise SqlSyntaxError('header requires a Boolean value or "match"')


def _check_single(word: str, value: str) -> None:
    if len(value.encode()) != 1:
        raise FeatureNotSupported(f"COPY {word} must be a single one-byte character")


def _check_csv_only(word: str, options: OptionValues, csv: bool) -> None:
    if word in options and not csv:
        raise FeatureNotSupported(f"COPY {_spoken(word)} available only in CSV mode")


def _spoken(word: str) -> str:
    return word.replace("_", " ")
