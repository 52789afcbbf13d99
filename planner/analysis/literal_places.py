"""Where a literal stands that is no value of its type: constants in pglast's trees do not know their places."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from constellationdb.errors import ConstellationError
from constellationdb.planner.statements import Query
from constellationdb.planner.syntax.literals import is_string, string
from constellationdb.planner.syntax.tokens import read_tokens

_BLAMED = re.compile(r': "(.*)"$|^value "(.*)" is out of range', re.DOTALL)


@contextmanager
def placing_literals(query: Query) -> Iterator[None]:
    """Errors about a literal of ``query`` get its position."""
    try:
        yield
    except ConstellationError as error:
        if error.position is None and (found := _BLAMED.search(error.message)):
            error.at(literal_position(query, found[1] or found[2] or ""))
        raise


def literal_position(query: Query, value: str) -> int | None:
    """Of the first string constant with this value; None when it came another way, as a parameter."""
    source = read_tokens(query.text)
    for token in source.tokens:
        if is_string(token) and string(source, token) == value:
            return query.offset + token.start + 1
    return None
