"""The shortcuts of a session that has none."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from constellationdb.engine.result import Found, Prepared


class NoShortcuts:
    def prepared(self, sql: str, parameter_oids: tuple[int, ...]) -> Prepared | None:  # noqa: ARG002
        return None

    def find(self, prepared: Prepared, parameters: Sequence[str | None]) -> Found | None:  # noqa: ARG002
        return None

    def inserts(self, prepared: Prepared) -> bool:  # noqa: ARG002
        return False

    def insert(
        self,
        prepared: Prepared,  # noqa: ARG002
        rows: Sequence[Sequence[str | None]],  # noqa: ARG002
        done: Callable[[list[BaseException | None]], None],  # noqa: ARG002
        *,
        together: bool,  # noqa: ARG002
    ) -> bool:
        return False

    def insert_together(self, prepared: Prepared, rows: Sequence[Sequence[str | None]]) -> bool:  # noqa: ARG002
        return False
