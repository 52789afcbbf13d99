"""One index, asked by two threads at their own epochs, while a third writes the rows and numbers them anew."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Barrier

import numpy as np
import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.arrangement import Arrangement
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.shared_index import SharedIndex

SCHEMA = pa.schema([("k", pa.int64()), ("v", pa.int64())])
EPOCHS, KEYS, ALIVE = 1_500, 40, 5


def rows_of(epoch: int) -> pa.RecordBatch:
    return pa.record_batch([np.arange(KEYS), np.full(KEYS, epoch)], schema=SCHEMA)


class Contents:
    """Every epoch brings a row for every key and takes away the one of ``ALIVE`` epochs before."""

    def __init__(self) -> None:
        self.arrangement = Arrangement(SCHEMA)
        self.index = SharedIndex(self.arrangement, (0,))
        self.written = 0
        self.reading = [0, 0]  # the epoch each reader is at: no compaction goes beyond
        self.begin = Barrier(3)

    def write(self) -> None:
        self.begin.wait()
        for epoch in range(1, EPOCHS + 1):
            parts = [zset.weighted(rows_of(epoch))]
            if epoch > ALIVE:
                parts.append(zset.negate(rows_of(epoch - ALIVE)))
            self.arrangement.apply(pa.concat_batches(parts), epoch)
            self.written = epoch
            self.arrangement.compact(min(self.reading))

    def read(self, number: int) -> list[int]:
        """The epochs it looked at."""
        self.begin.wait()
        keys = encode_rows(rows_of(0), (0,))
        seen: list[int] = []
        while not seen or seen[-1] < EPOCHS:
            epoch = self.reading[number] = self.written
            which, entries = self.index.lookup(keys, epoch)
            taken = self.index.take(entries, (0, 1), SCHEMA)
            assert taken.column(0).to_pylist() == which.tolist()
            assert (self.index.weight_of(entries) == 1).all()
            alive = range(max(epoch - ALIVE, 0) + 1, epoch + 1)
            found = sorted(zip(*(column.to_pylist() for column in taken.columns), strict=True))
            assert found == [(key, at) for key in range(KEYS) for at in alive]
            seen.append(epoch)
        return seen


def test_each_thread_reads_its_own_epoch_whatever_the_others_do() -> None:
    contents = Contents()
    with ThreadPoolExecutor(3) as pool:
        writing = pool.submit(contents.write)
        readers = [pool.submit(contents.read, number) for number in range(2)]
        writing.result()
        for reader in readers:
            seen = reader.result()
            assert len(set(seen)) > 10
            assert all(before <= after for before, after in pairwise(seen))
    assert contents.arrangement.version.generation > 5
