"""Names of relations in statements: ``t`` and ``s.t``, and which relation of the catalog each of them means.

A session's search path says what a name means. A query carries the answers (``Query.names``), so it means the same
wherever and whenever it is planned: in a view as on the day the view was created. Without an answer a name is of
``public``, or of ``pg_catalog``, which is how things are until somebody creates another schema.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from constellationdb.planner.relations import PlannedRelation

# References and the relations' names in the catalog; NOWHERE for what there is not.
Names = tuple[tuple[str, str], ...]
NOWHERE = ""

_PART = re.compile(r'"((?:[^"]|"")+)"|([^.]+)')


def reference(schema: str | None, name: str) -> str:
    """A part with a dot in it is quoted, so that ``split`` gives back what was put together."""
    return _part(name) if schema is None else f"{_part(schema)}.{_part(name)}"


def _part(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if "." in name or '"' in name else name


def split(text: str) -> tuple[str | None, str]:
    """(schema or None, name)."""
    parts = [bare or quoted.replace('""', '"') for quoted, bare in _PART.findall(text)]
    return (None, parts[0]) if len(parts) == 1 else (parts[0], parts[1])


def meant(names: Names, schema: str | None, name: str) -> str | None:
    """The answer that is among ``names``."""
    if not names:
        return None
    said = reference(schema, name)
    return next((relation for known, relation in names if known == said), None)


def key_of(names: Names, schema: str | None, name: str) -> str:
    """The name in the catalog of the relation that is meant, system relations by their own name aside."""
    found = meant(names, schema, name)
    if found is not None:
        return found
    return name if schema in (None, "public") else f"{schema}.{name}"


def find(
    relations: Mapping[str, PlannedRelation], names: Names, schema: str | None, name: str
) -> PlannedRelation | None:
    """The relation; pg_catalog is searched first where no answer says otherwise."""
    if names and (found := meant(names, schema, name)) is not None:
        return relations.get(found)
    if schema is None and (system := relations.get(f"pg_catalog.{name}")) is not None:
        return system
    return relations.get(key_of((), schema, name))
