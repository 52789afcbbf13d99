"""Functions over frames that DataFusion does not compute right: GROUPS, RANGE with offsets, EXCLUDE, moving sums.

ordered    rows in order: where the partition and the peers of each begin and end
offsets    RANGE: what an offset before or behind a value is, as integers in the values' order
bounds     the frame of each row, as three stretches at most
computed   values looked up in frames, and aggregates over the rows of each
"""

from constellationdb.engine.frames.computed import FramedRows

__all__ = ["FramedRows"]
