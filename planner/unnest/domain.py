"""The values for which a correlated subquery must answer: each combination once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from constellationdb.planner.rewrite.names import fresh
from constellationdb.planner.rewrite.tree import parse_query
from constellationdb.planner.unnest import parts
from constellationdb.planner.unnest.names import Reference, column, renamed_copy, substituted


@dataclass(frozen=True)
class Domain:
    """``sought``: the columns around the subquery, in the order of ``names``, which they have in the domain.

    ``rows`` is a query of those; ``carriers``: the common tables that have the columns themselves.
    """

    rows: Any
    sought: tuple[Reference, ...]
    carriers: frozenset[str] = frozenset()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"__d{i}" for i in range(len(self.sought)))

    def table(self) -> tuple[str, Any]:
        """A new item of FROM with its rows, and its alias."""
        alias = fresh("domain")
        return alias, parts.derived(renamed_copy(self.rows), alias, self.names)

    def read_from(self, node: Any, alias: str) -> Any:
        """``node`` with the columns sought taken from ``alias``."""
        places = dict(zip(self.sought, self.names, strict=True))
        return substituted(node, lambda found: column(alias, places[found]) if found in places else None)

    def columns(self, alias: str) -> list[Any]:
        return [column(alias, name) for name in self.names]


def domain_of(source: Any, where: Sequence[Any], sought: Sequence[Reference]) -> Domain:
    """The combinations of ``sought`` among the rows of ``source`` for which ``where`` holds."""
    targets = [parts.target(column(*found), f"__d{i}") for i, found in enumerate(sought)]
    rows = parts.query(targets, (source,), parts.conjunction(where))
    rows.distinctClause = parse_query("SELECT DISTINCT 1").distinctClause
    return Domain(renamed_copy(rows), tuple(sought))
