"""Arrays as Postgres prints them, ``{1,NULL,"a b"}``, read into Arrow lists."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa

from constellationdb.catalog.types import SqlType
from constellationdb.errors import FeatureNotSupported

_ITEM = re.compile(r'"((?:[^"\\]|\\.)*)"|([^,{}"]+)', re.DOTALL)
_VECTORS = frozenset({"int2vector", "oidvector"})

Column = Callable[[Sequence[str | None], SqlType], pa.Array]


def read_array(texts: pa.Array, kind: SqlType, column_of: Column) -> pa.Array:
    """All elements are read as one column of the element's type, and cut into lists again."""
    assert kind.element is not None
    items: list[str | None] = []
    ends: list[int | None] = []
    for text in texts.to_pylist():
        ends.append(None if text is None else len(items))
        if text is not None:
            items += text.split() if kind.name in _VECTORS else _items(text)
    values = column_of(items, kind.element)
    return pa.ListArray.from_arrays(pa.array([*ends, len(items)], pa.int32()), values)


def _items(text: str) -> Iterator[str | None]:
    inside = text[text.index("{") + 1 : -1]  # behind bounds, if it has any: [0:1]={…}
    if "{" in re.sub(r'"(?:[^"\\]|\\.)*"', "", inside):
        raise FeatureNotSupported("arrays of more than one dimension cannot be read from a server")
    for found in _ITEM.finditer(inside):
        quoted, bare = found.groups()
        if quoted is not None:
            yield re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)
        else:
            yield None if bare.upper() == "NULL" else bare
