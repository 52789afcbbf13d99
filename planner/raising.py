"""An error of a computed row on its way through DataFusion, which keeps nothing of it but the text."""

from __future__ import annotations


class ComputationError(ValueError):
    def __init__(self, sqlstate: str, message: str) -> None:
        self.sqlstate, self.message = sqlstate, message
        super().__init__(f"CON[{sqlstate}]{message}[/CON]")
