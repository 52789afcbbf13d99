"""What a type's name in a cast means."""

from __future__ import annotations

from typing import Any

from constellationdb.catalog.types import parse_type
from constellationdb.errors import ConstellationError
from constellationdb.planner import postgres_types as types
from constellationdb.planner.postgres_types import Type


def type_of_name(node: Any) -> Type:
    """None for a name that is not known here: whoever plans the cast says so."""
    name = node.names[-1].sval
    if not types.is_known(name):
        try:
            found = types.by_oid(parse_type(name).oid)
        except ConstellationError:
            return None
        if found is None:
            return None
        name = found
    return types.array_of(name) if node.arrayBounds else name
