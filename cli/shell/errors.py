"""An error as psql draws it: the line of the statement that is wrong, with a caret below the place."""

from __future__ import annotations

from constellationdb.cli.main import describe
from constellationdb.errors import ConstellationError


def with_caret(sql: str, error: ConstellationError) -> str:
    text = describe(error)
    if not error.position or error.position > len(sql) + 1:
        return text
    before = sql[: error.position - 1]
    number, start = before.count("\n") + 1, before.rfind("\n") + 1
    line = sql[start:].partition("\n")[0]
    label = f"LINE {number}: "
    first, _, rest = text.partition("\n")
    indent = "".join("\t" if character == "\t" else " " for character in label + before[start:])
    return "\n".join(part for part in (first, label + line, indent + "^", rest) if part)
