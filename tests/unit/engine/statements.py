"""Statements said to a session of the engine, for the tests of this folder."""

from __future__ import annotations

from constellationdb.engine.session import Session


def run(session: Session, *texts: str) -> list[tuple[object, ...]]:
    """The rows of the last statement."""
    rows: list[tuple[object, ...]] = []
    for text in texts:
        for result in session.execute(text):
            rows = [tuple(row.values()) for batch in result.batches for row in batch.to_pylist()]
    return rows
