"""Is this what the script expected? The judgement, without any I/O.

``mismatch_*`` give None when it is, else a ``Mismatch`` that shows both sides.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from constellationdb.cli.slt.connection import Answer, SqlError
from constellationdb.cli.slt.records import ExpectError, ExpectRows, ResultMode, SortMode

_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?|-?Infinity|NaN", re.IGNORECASE)
_BY_TYPE = {"I": re.compile(r"[-+]?\d+"), "R": _NUMBER}


@dataclass(frozen=True)
class Mismatch:
    reason: str
    expected: str
    got: str


@dataclass(frozen=True)
class RowRules:
    """How rows are compared: what ``control`` and ``hash-threshold`` have said so far in the script.

    ``strict_types`` also checks the number of columns and that I and R columns hold numbers.
    """

    sort_mode: SortMode = "nosort"
    result_mode: ResultMode = "rowwise"
    hash_threshold: int = 0
    strict_types: bool = False


def printed(value: str | None) -> str:
    """A value as scripts write it: NULL and the empty string need a visible form."""
    if value is None:
        return "NULL"
    return value or "(empty)"


def actual_lines(answer: Answer, sort_mode: SortMode, rules: RowRules) -> list[str]:
    """The answer in the form a script would hold it."""
    rows = [tuple(printed(value) for value in row) for row in answer.rows]
    if sort_mode == "rowsort":
        rows.sort(key=_line)
    if sort_mode == "valuesort":
        rows = sorted(((value,) for row in rows for value in row), key=_line)
    values = [value for row in rows for value in row]
    if 0 < rules.hash_threshold < len(values):
        digest = hashlib.md5("".join(f"{value}\n" for value in values).encode(), usedforsecurity=False)
        return [f"{len(values)} values hashing to {digest.hexdigest()}"]
    if rules.result_mode == "valuewise":
        return [_line((value,)) for value in values]
    return [_line(row) for row in rows]


def mismatch_of_rows(expect: ExpectRows, answer: Answer, rules: RowRules) -> Mismatch | None:
    wrong_columns = _mismatch_of_columns(expect.types, answer) if rules.strict_types else None
    if wrong_columns is not None:
        return wrong_columns
    sort_mode = expect.sort_mode or rules.sort_mode
    got = actual_lines(answer, sort_mode, rules)
    wanted = [_line((line,)) for line in expect.lines]
    # A script may list its rows in any order when it asks for sorting; values of
    # one row on several lines cannot be told apart again, so there it may not.
    if sort_mode == "valuesort" or (sort_mode == "rowsort" and rules.result_mode == "rowwise"):
        wanted.sort()
        got.sort()
    if got == wanted:
        return None
    return Mismatch("the query answered something else", "\n".join(wanted), "\n".join(got))


def mismatch_of_error(expect: ExpectError, error: SqlError) -> Mismatch | None:
    got = str(error)
    if expect.sqlstate is not None and error.sqlstate != expect.sqlstate:
        return Mismatch("it failed with another SQLSTATE", expect.sqlstate, got)
    if expect.pattern is not None and not re.search(expect.pattern, f"{error.message} ({error.sqlstate})"):
        return Mismatch("it failed with another error", f"a message matching {expect.pattern}", got)
    if expect.message is not None and _tidy(expect.message) not in _full_messages(error):
        return Mismatch("it failed with another message", expect.message, got)
    return None


def _full_messages(error: SqlError) -> set[str]:
    """The message alone, or followed by its detail, its hint, or both: the script decides how much it shows."""
    detail = [f"DETAIL: {error.detail}"] if error.detail else []
    hint = [f"HINT: {error.hint}"] if error.hint else []
    shown: tuple[list[str], ...] = ([], detail, hint, [*detail, *hint])
    return {_tidy("\n".join([error.message, *more])) for more in shown}


def _mismatch_of_columns(types: str, answer: Answer) -> Mismatch | None:
    if len(types) != len(answer.columns):
        names = ", ".join(answer.columns) or "none"
        return Mismatch("the query has other columns", f"{len(types)} columns", f"{len(answer.columns)}: {names}")
    for index, letter in enumerate(types):
        form = _BY_TYPE.get(letter)
        for row in answer.rows if form else ():
            value = row[index]
            if form and value is not None and not form.fullmatch(value):
                return Mismatch(f"column {answer.columns[index]} is not of type {letter}", f"type {letter}", value)
    return None


def _line(row: Sequence[str]) -> str:
    return " ".join(" ".join(row).split())


def _tidy(text: str) -> str:
    """Trailing blanks and runs of blanks inside a line do not count; line ends do."""
    return "\n".join(" ".join(line.split()) for line in text.strip().splitlines())
