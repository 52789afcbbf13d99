"""``$NAME``, ``${NAME}`` and ``${NAME:default}`` in the text of a record, once a script switched it on.

A backslash keeps a dollar sign or a backslash as it is. ``$1`` and ``$$``
belong to SQL and stay.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_NAME = r"[A-Za-z_]\w*"
_REFERENCE = re.compile(
    rf"\\(?P<kept>[\\$])|\$\{{(?P<braced>{_NAME})(?::(?P<default>[^}}]*))?\}}|\$(?P<bare>{_NAME})",
)


class UndefinedVariable(Exception):
    """A script names a variable that nobody set and that has no default."""


def substitute(text: str, variables: Mapping[str, str]) -> str:
    """``text`` with every reference replaced; UndefinedVariable names the one that cannot be."""

    def value(found: re.Match[str]) -> str:
        if found["kept"]:
            return found["kept"]
        name = found["braced"] or found["bare"]
        default: str | None = found["default"]
        if name in variables:
            return variables[name]
        if default is None:
            raise UndefinedVariable(f"variable {name} is not set")
        return default

    return _REFERENCE.sub(value, text)
