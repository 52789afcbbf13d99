"""Partial aggregates of small batches, too: as these tests are of few rows, none would ever be added up before."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from constellationdb.engine.operators import partial_aggregate


@pytest.fixture(autouse=True, scope="package")
def parts_of_any_batch() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partial_aggregate, "LEAST_ROWS", 2)
        patch.setattr(partial_aggregate, "ROWS_PER_SENT", 0.5)
        yield
