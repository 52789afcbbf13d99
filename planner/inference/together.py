"""Values of several types that must be of one: ``select_common_type``."""

from __future__ import annotations

from collections.abc import Sequence

from constellationdb.planner import postgres_types as types
from constellationdb.planner.postgres_types import UNKNOWN


def common(kinds: Sequence[str]) -> str | None:
    """The type that values of these types become together, text when all are unknown; None when there is none."""
    found = kinds[0]
    for kind in kinds[1:]:
        if kind in (UNKNOWN, found):
            continue
        if found == UNKNOWN:
            found = kind
        elif types.category(kind) != types.category(found):
            return None
        elif not types.is_preferred(found) and types.casts(found, kind) and not types.casts(kind, found):
            found = kind
    return "text" if found == UNKNOWN else found
