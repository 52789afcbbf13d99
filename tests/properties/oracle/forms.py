"""What a query form is: the query as we read it, the same as DuckDB reads it, and what a run of it must show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tests.properties.oracle.windows import Session, Window

Mode = Literal["table", "source", "mixed"]  # mixed: t is a source
BOTH: tuple[Mode, ...] = ("table", "source")


@dataclass(frozen=True)
class Stage:
    """One materialized view, or a ``plain`` one. ``{W}`` in the text stands for window call W of the form.

    ``duck`` is the same query in DuckDB's words, where they differ. Under ``on_close``
    the answer is cut to the windows that the logged watermark has passed.
    """

    sql: str
    duck: str = ""
    on_close: bool = False
    name: str = "answer"
    window_end: str = "window_end"  # what the stage calls the column that closes
    plain: bool = False

    @property
    def expected(self) -> str:
        return self.duck or self.sql


@dataclass(frozen=True)
class Form:
    """A named query over t, u and v: its stages in order, the last of which is compared.

    ``ulps``: how far doubles may be off (0: not at all). ``slack``: the last column of DuckDB's
    answer is the sum of absolute values times their number; a double may be off by its ulp,
    which is what adding doubles one by one in any order costs. ``fails``: a query for the number
    of rows that must be in the errors relation. ``few_keys``: too few distinct keys to keep every
    worker busy.
    """

    name: str
    stages: tuple[Stage, ...]
    modes: tuple[Mode, ...] = BOTH
    ulps: int = 0
    slack: bool = False
    windows: Mapping[str, Window | Session] = field(default_factory=dict)
    lateness: int = 0
    fails: str = ""
    few_keys: bool = False

    @property
    def closes(self) -> bool:
        return any(stage.on_close for stage in self.stages)


def form(name: str, sql: str, duck: str = "", **more: object) -> Form:
    """A form of one stage."""
    on_close = bool(more.pop("on_close", False))
    return Form(name, (Stage(sql, duck, on_close),), **more)  # type: ignore[arg-type]
