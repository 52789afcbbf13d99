"""Partial aggregates of small batches, too: as these tests are of few rows, none would ever be added up before."""

from __future__ import annotations

import pytest

from constellationdb.engine.operators import partial_aggregate


@pytest.fixture(autouse=True, scope="session")
def partials_of_any_batch() -> None:
    partial_aggregate.LEAST_ROWS = 2
    partial_aggregate.ROWS_PER_SENT = 0.5
