"""DECLARE, FETCH, MOVE and CLOSE.

DECLARE … FOR SUBSCRIBE, DECLARE … SUBSCRIPTION CURSOR and FETCH … WITH (timeout = …) are ours: they are read
here and blanked out, and Postgres' grammar judges the rest in its place.
"""

from __future__ import annotations

from constellationdb.errors import FeatureNotSupported, InvalidCursorDefinition, SqlSyntaxError
from constellationdb.planner.statements import CloseCursor, DeclareCursor, Direction, Fetch, Select, Subscribe
from constellationdb.planner.syntax import postgres, subscriptions
from constellationdb.planner.syntax.changing_with import changes_rows
from constellationdb.planner.syntax.cursor import Cursor
from constellationdb.planner.syntax.edits import overlay
from constellationdb.planner.syntax.intervals import parse_interval
from constellationdb.planner.syntax.options import read_options
from constellationdb.planner.syntax.queries import select, subscribe
from constellationdb.planner.syntax.tokens import Region

_BINARY, _SCROLL, _NO_SCROLL, _INSENSITIVE, _ASENSITIVE, _HOLD = 1, 2, 4, 8, 16, 32
_DIRECTIONS: dict[str, Direction] = {
    "FETCH_FORWARD": "forward",
    "FETCH_BACKWARD": "backward",
    "FETCH_ABSOLUTE": "absolute",
    "FETCH_RELATIVE": "relative",
}
_ALL = 2**63 - 1  # how Postgres writes it


def declare(region: Region) -> DeclareCursor:
    cursor = Cursor(region)
    if (named := subscriptions.declare(region)) is not None:
        return named
    while not cursor.done and not cursor.at("for"):
        cursor.next()
    if cursor.done or cursor.index + 1 >= region.hi:
        postgres.check(region)  # says what is missing
        raise region.source.error_at(region.hi)
    inside = region.of(cursor.index + 1, region.hi)
    # What is no query must not stand there; Postgres judges the words before it with the shortest query there is.
    if inside.source.tokens[inside.lo].word not in ("select", "values", "with", "table", "(", "subscribe"):
        raise region.source.error_at(inside.lo)
    source = _source(inside)
    text = overlay(region.scanned, [(inside.start, inside.end, "SELECT")], region.start)
    node = postgres.tree(region, text)
    _check_options(node.options)
    scroll = True if node.options & _SCROLL else False if node.options & _NO_SCROLL else None
    return DeclareCursor(
        region.text,
        region.start,
        node.portalname,
        source,
        bool(node.options & _BINARY),
        scroll,
        bool(node.options & _HOLD),
    )


def _source(inside: Region) -> Select | Subscribe:
    word = inside.source.tokens[inside.lo].word
    if word == "with" and changes_rows(inside):
        raise FeatureNotSupported("DECLARE CURSOR must not contain data-modifying statements in WITH")
    return subscribe(inside) if word == "subscribe" else select(inside)


def _check_options(options: int) -> None:
    for one, other, words in (
        (_SCROLL, _NO_SCROLL, "SCROLL and NO SCROLL"),
        (_ASENSITIVE, _INSENSITIVE, "ASENSITIVE and INSENSITIVE"),
    ):
        if options & one and options & other:
            raise InvalidCursorDefinition(f"cannot specify both {words}")


def fetch(region: Region) -> Fetch:
    """FETCH and MOVE."""
    text, timeout = region.scanned, None
    begin = _with_index(region)
    if begin is not None:
        cursor = Cursor(region)
        cursor.index = begin + 1
        timeout = _timeout(cursor)
        text = overlay(text, [(region.source.tokens[begin].start, region.end, "")], region.start)
    node = postgres.tree(region, text)
    if timeout is not None and node.ismove:
        raise region.source.error_at(begin or region.hi)
    count = None if node.howMany == _ALL else int(node.howMany)
    return Fetch(
        region.text, region.start, node.portalname, _DIRECTIONS[node.direction.name], count, bool(node.ismove), timeout
    )


def _with_index(region: Region) -> int | None:
    tokens = region.source.tokens
    return next(
        (i for i in range(region.lo, region.hi - 1) if tokens[i].word == "with" and tokens[i + 1].word == "("), None
    )


def _timeout(cursor: Cursor) -> int | None:
    """WITH (timeout = '1s'), in µs."""
    inside = cursor.group()
    position = (inside.start if inside.lo < inside.hi else cursor.position) + 1
    options = read_options(inside)
    cursor.expect_end()
    for name in options:
        if name != "timeout":
            raise SqlSyntaxError(f'unrecognized FETCH option "{name}"', hint="known is timeout", position=position)
    if "timeout" not in options:
        return None
    found = parse_interval(options["timeout"], "second", position)
    if found < 0:
        raise FeatureNotSupported("a negative timeout is not supported", position=position)
    return found


def close(region: Region) -> CloseCursor:
    return CloseCursor(region.text, region.start, postgres.tree(region).portalname)
