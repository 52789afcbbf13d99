"""Postgres' own grammar as the judge of everything it knows.

``check`` costs microseconds and answers what kind of statement it is;
``tree`` gives pglast's parse tree where its content is needed, which is for
definitions and session commands only, never for rows or queries.
"""

from __future__ import annotations

import re
from typing import Any

from pglast import parse_sql
from pglast.parser import ParseError, parse_sql_json

from constellationdb.errors import (
    ConstellationError,
    FeatureNotSupported,
    LimitExceeded,
    SqlSyntaxError,
    WindowingError,
)
from constellationdb.planner.syntax.tokens import Region

_KIND = re.compile(r'\{"stmt":\{"(\w+)":')


def check(region: Region, text: str | None = None, begin: int | None = None) -> str:
    """The node kind (``SelectStmt``, …) of the region, or of the masked ``text`` that stands in for it.

    ``text`` begins at ``begin`` of the client's text, by default where the region does.
    """
    try:
        tree = parse_sql_json(region.scanned if text is None else text)
    except ParseError as error:
        raise _translate(error, region, region.start if begin is None else begin) from None
    match = _KIND.search(tree)
    return match[1] if match else ""


def tree(region: Region, text: str | None = None) -> Any:
    """The parse tree of the region's one statement; its locations count from ``region.start``."""
    try:
        statements = parse_sql(region.scanned if text is None else text)
    except ParseError as error:
        raise _translate(error, region, region.start) from None
    return statements[0].stmt


def _translate(error: ParseError, region: Region, begin: int) -> ConstellationError:
    message, location = error.args
    if location is None or message == "syntax error at end of input":
        return region.source.error_at(region.hi)  # what follows the region is what was not expected
    position = begin + location + 1
    if message.startswith("memory exhausted") or "stack depth" in message:
        return LimitExceeded("the statement is nested too deeply", position=position)
    if "not implemented" in message or "not supported" in message:
        return FeatureNotSupported(message, position=position)
    if message.startswith("frame "):  # that of a window, which the grammar itself judges
        return WindowingError(message, position=position)
    return SqlSyntaxError(message, position=position)
