"""A point index against a dict a kept epoch, while rows come, change and go and a writer numbers them anew."""

from __future__ import annotations

import gc
import random
import weakref
from collections.abc import Callable

import pyarrow as pa
import pytest

from constellationdb.engine import arrangement
from constellationdb.engine import batch as zset
from constellationdb.engine.arrangement import Arrangement
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.kernels.rows import Rows
from constellationdb.engine.point_index import PointIndex

_Key = Callable[[int], object]
# Numbers that lie close together, such that do not, and texts.
_KINDS: dict[str, tuple[pa.DataType, _Key]] = {
    "dense": (pa.int64(), lambda n: n - 20),
    "sparse": (pa.int64(), lambda n: (n * 0x9E3779B97F4A7C15) % (1 << 63) - (1 << 62)),
    "text": (pa.string(), lambda n: "é" * (n % 5) + str(n)),
}


class Table:
    """Rows (key, value) with a unique key, and what each epoch since ``floor`` saw."""

    def __init__(self, kind: str) -> None:
        self.type, self.key = _KINDS[kind]
        self.schema = pa.schema([("k", self.type), ("v", pa.int64())])
        self.contents = Arrangement(self.schema, unique=(0,))
        self.index = PointIndex((0,), self.contents)
        self.rows: dict[object, int] = {}
        self.epochs: dict[int, dict[object, int]] = {0: {}}
        self.epoch = 0

    def change(self, rng: random.Random) -> None:
        self.epoch += 1
        parts = []
        for number in rng.sample(range(60), rng.randrange(1, 8)):
            key, before = self.key(number), self.rows.pop(self.key(number), None)
            if before is not None:
                parts.append(zset.negate(self._row(key, before)))
            if before is None or rng.random() < 0.7:
                self.rows[key] = self.epoch
                parts.append(zset.weighted(self._row(key, self.epoch)))
        self.contents.apply(pa.concat_batches(parts), self.epoch)
        self.epochs[self.epoch] = dict(self.rows)

    def _row(self, key: object, value: int) -> pa.RecordBatch:
        return pa.record_batch([pa.array([key], self.type), pa.array([value])], schema=self.schema)

    def compact(self) -> None:
        floor = self.epoch - 3
        self.contents.compact(floor)
        if self.contents.version.floor == floor:
            self.epochs = {epoch: rows for epoch, rows in self.epochs.items() if epoch >= floor}

    def encoded(self, key: object) -> int | Rows:
        if isinstance(key, int):
            return key
        return encode_rows(pa.record_batch([pa.array([key], self.type)], ["k"]), [0])

    def check(self, epoch: int) -> None:
        for number in range(-3, 63):
            key = self.key(number)
            found = self.index.locate(self.encoded(key), epoch)
            assert found is not None
            values = [batch.slice(row, 1).to_pylist()[0] for batch, row in found]
            expected = self.epochs[epoch].get(key)
            assert values == ([] if expected is None else [{"k": key, "v": expected}])


@pytest.mark.parametrize("kind", _KINDS)
def test_every_kept_epoch_has_its_rows(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrangement, "_COMPACT_ABOVE", 20)
    rng, table = random.Random(7), Table(kind)
    for step in range(300):
        table.change(rng)
        if step % 10 == 9:
            table.compact()
        if step % 4 == 0:
            table.check(table.epoch)
            table.check(rng.choice(list(table.epochs)))
    assert table.contents.version.floor > 0
    assert table.index.locate(table.encoded(table.key(1)), table.contents.version.floor - 1) is None


def test_an_index_does_not_keep_what_its_relation_has_left_behind() -> None:
    table = Table("dense")
    table.change(random.Random(1))
    table.check(table.epoch)
    old = weakref.ref(table.contents.version)
    table.change(random.Random(2))
    gc.collect()
    assert old() is None
