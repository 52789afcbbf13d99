"""What the walk over expressions hands around: a typed node, where it stands, and the walk itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from constellationdb.catalog.types import SqlType
from constellationdb.planner.analysis.kinds import INTEGERS, Kind
from constellationdb.planner.analysis.scope import Scope
from constellationdb.planner.analysis.zoning import Zoning


@dataclass(frozen=True)
class Typed:
    """A node, its type, and whether it is made of constants alone; ``whole``: without digits after the point.

    ``members``: the fields of a row that is put together right here.
    """

    node: Any
    kind: Kind
    constant: bool = False
    whole: bool = False
    members: tuple[Typed, ...] = ()

    @property
    def is_whole(self) -> bool:
        return self.whole or self.kind in INTEGERS


@dataclass(frozen=True)
class Place:
    """Where an expression stands: the columns in sight, the clause, and whether inside an aggregate's arguments."""

    scope: Scope
    clause: str
    aggregate: bool = False
    windows: frozenset[str] = frozenset()


class Walk(Protocol):
    """The walk; ``signatures``: calls as messages name them, by location; ``checked``: arithmetic is said safely."""

    signatures: dict[int, str]
    checked: bool
    zoning: Zoning
    asking: bool
    doubtful: bool

    @property
    def outer_columns(self) -> int: ...

    def at(self, node: Any) -> int | None: ...

    def doubt_zone(self, node: Any) -> None: ...

    def as_field(self, value: Typed, sql_type: SqlType) -> Typed: ...

    def refuse_zoned(self, kind: Kind, what: str, position: int | None) -> None: ...

    def expression(self, node: Any, place: Place) -> Typed: ...

    def many(self, nodes: Sequence[Any] | None, place: Place) -> tuple[Any, ...]: ...

    def together(self, nodes: Sequence[Any], what: str | None, place: Place) -> tuple[tuple[Any, ...], Kind]: ...

    def settle(
        self, typed: Sequence[Typed], what: str | None, positions: Sequence[int | None]
    ) -> tuple[tuple[Any, ...], Kind]: ...

    def boolean(self, node: Any, what: str, place: Place) -> Any: ...
