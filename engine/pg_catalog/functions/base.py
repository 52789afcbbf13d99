"""What the functions of this folder share: which of them answer to NULL, and how a name is taken apart."""

from __future__ import annotations

import re

from constellationdb.errors import InvalidParameter

# Called with NULL, too: they have something to say.
LENIENT = frozenset({"format_type", "quote_nullable", "set_config"})
_PART = re.compile(r'\s*(?:"((?:[^"]|"")+)"|([A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*))\s*')


def name_parts(text: str) -> list[str]:
    """``Public."My table"`` as its parts; what is not quoted is in small letters."""
    found: list[str] = []
    at = 0
    while matched := _PART.match(text, at):
        quoted, bare = matched.groups()
        found.append(quoted.replace('""', '"') if bare is None else bare.lower())
        at = matched.end()
        if at == len(text):
            return found
        if text[at] != ".":
            break
        at += 1
    raise InvalidParameter(f'string is not a valid identifier: "{text}"')
