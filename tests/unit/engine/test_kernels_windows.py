"""Window assignment against its definition, window by window."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from constellationdb.engine.kernels.windows import assign


@given(
    st.lists(st.integers(-(10**6), 10**6), max_size=40),
    st.integers(1, 5000),
    st.integers(1, 20000),
    st.integers(-3000, 3000),
)
def test_a_row_is_in_every_window_that_holds_its_time_the_latest_first(
    times: list[int], slide: int, size: int, offset: int
) -> None:
    row, start = assign(np.array(times, np.int64), slide, size, offset)
    expected = []
    for i, time in enumerate(times):
        number = (time - offset) // slide
        while (begin := number * slide + offset) + size > time:
            expected.append((i, begin))
            number -= 1
    assert list(zip(row.tolist(), start.tolist(), strict=True)) == expected
