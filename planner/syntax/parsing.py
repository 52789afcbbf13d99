"""Text in, statements out: the one function of this package, with its cache."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from constellationdb.errors import CharacterNotInRepertoire, ConstellationError, SqlSyntaxError
from constellationdb.planner.statements import Insert, Statement
from constellationdb.planner.syntax.classify import read_statement
from constellationdb.planner.syntax.maps import spelled
from constellationdb.planner.syntax.rows import Rows, find_long_rows, read_one_row
from constellationdb.planner.syntax.split import statements
from constellationdb.planner.syntax.tokens import Source, read_tokens

_CACHED_LENGTH = 4096  # longer texts are loads of rows, and do not come twice
_CACHE_SIZE = 1024
# Words whose meaning depends on the next token, which Postgres' parser therefore scans before it judges them.
_LOOKS_AHEAD = frozenset({"format", "not", "nulls", "with", "without"})


def parse(sql: str) -> list[Statement]:
    """Every statement of ``sql``, in order; the first syntax error anywhere refuses the whole text, as in Postgres."""
    if len(sql) > _CACHED_LENGTH:
        return list(_parse(sql))
    one = read_one_row(sql)
    return list(_remembered(sql)) if one is None else [_insert(sql, *one)]


def _insert(sql: str, head: str, row: tuple[object, ...]) -> Statement:
    """An INSERT of one row: read once for the words before its row, then only the row is new."""
    known = _templates(head, len(row))
    if not known:
        found = _parse(sql)
        if len(found) == 1 and isinstance(found[0], Insert) and found[0].rows is not None:
            known.append(found[0])
        return found[0]
    like, text = known[0], sql.rstrip(" \t\r\n;")
    query = like.query and replace(like.query, text=text[like.query.offset :])
    return replace(like, text=text.lstrip(), rows=(row,), query=query)


@lru_cache(maxsize=_CACHE_SIZE)
def _templates(head: str, width: int) -> list[Insert]:  # noqa: ARG001 - what it is remembered by
    """The statement that stands for all with this head, once there is one."""
    return []


def _parse(sql: str) -> tuple[Statement, ...]:
    long = find_long_rows(sql)
    try:
        source = read_tokens(spelled(sql), None if long is None else spelled(long.scanned))
    except (SqlSyntaxError, CharacterNotInRepertoire) as error:
        raise _earlier_error(sql, error) or error from None
    return _read_all(source, None if long is None else long.rows)


_remembered = lru_cache(maxsize=_CACHE_SIZE)(_parse)


def _read_all(source: Source, rows: Rows | None = None) -> tuple[Statement, ...]:
    """A syntax error further on comes before a statement that is only not supported: Postgres reads all, then acts."""
    found: list[Statement] = []
    refused: ConstellationError | None = None
    for i, region in enumerate(statements(source)):
        try:
            found.append(read_statement(region, rows if i == 0 else None))
        except SqlSyntaxError:
            raise
        except ConstellationError as error:
            refused = refused or error
    if refused is not None:
        raise refused
    return tuple(found)


def _earlier_error(sql: str, error: ConstellationError) -> SqlSyntaxError | None:
    """The scanner reads everything first, Postgres only as far as the grammar follows: an error before wins."""
    end = (error.position or 1) - 1
    try:
        before = read_tokens(sql[:end])
    except ConstellationError:  # the place is inside a string, which is cut open now
        return None
    try:
        _read_all(before)
    except SqlSyntaxError as earlier:
        if earlier.position is None or earlier.position > end:
            return None
        last = before.tokens[-1]
        looked_ahead = last.word in _LOOKS_AHEAD and earlier.position == last.start + 1
        return None if looked_ahead else earlier
    except ConstellationError:
        return None
    return None
