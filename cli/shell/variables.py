"""Variables of the shell in a statement: ``:n`` as it stands, ``:'n'`` as a string, ``:"n"`` as a name.

A colon that means something in SQL (``::text``, ``a[1:2]``, inside a string)
is left alone, and so is one before a name that nobody has set.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise

from constellationdb.errors import ConstellationError
from constellationdb.planner.syntax.edits import Edit, apply_edits, literal
from constellationdb.planner.syntax.tokens import read_tokens

_IN_ARGUMENT = re.compile(r"(?<!:):(['\"]?)(\w+)\1")


def expand(sql: str, variables: Mapping[str, str]) -> str:
    if not variables or ":" not in sql:
        return sql
    try:
        tokens = read_tokens(sql).tokens
    except ConstellationError:
        return sql  # the database says what is wrong with it
    edits: list[Edit] = []
    for colon, named in pairwise(tokens):
        if sql[colon.start : colon.end] != ":" or named.start != colon.end:
            continue
        text = sql[named.start : named.end]
        value = variables.get(text.strip("'\""))
        if value is not None:
            edits.append((colon.start, named.end, _written(value, text[0])))
    return apply_edits(sql, edits)[0]


def expand_argument(text: str, variables: Mapping[str, str]) -> str:
    """The same in what stands behind a backslash word."""
    return _IN_ARGUMENT.sub(lambda m: _written(variables[m[2]], m[1]) if m[2] in variables else m[0], text)


def _written(value: str, quote: str) -> str:
    if quote == "'":
        return literal(value)
    return '"' + value.replace('"', '""') + '"' if quote == '"' else value
