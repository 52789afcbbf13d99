"""The ends and the different values of groups are those of a plain list of rows, whatever comes and goes."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from constellationdb.engine.aggregates import multiset
from constellationdb.engine.aggregates.multiset import Multiset

_SLOTS = 5
_VALUES: dict[str, tuple[pa.DataType, list[Any]]] = {
    "bigint": (pa.int64(), [-(2**63), -1, 0, 1, 2**63 - 1]),
    "double": (pa.float64(), [float("-inf"), -1.5, 0.0, 1e-300, 2.0, float("inf"), float("nan")]),
    "numeric": (pa.decimal128(38, 2), [Decimal(-(2**70)), Decimal("-0.01"), Decimal(0), Decimal(2**70)]),
    "text": (pa.string(), ["", "a", "a\0", "ab", "abcdefgh", "abcdefgh\0", "abcdefghi", "b", "é", "\U0001f600"]),
    "date": (pa.date32(), [0, 1, 20000]),
}  # fmt: skip


def _draw(random: Random, values: list[Any], held: Counter[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """Changes as (slot, place of the value, weight); what is taken back is there."""
    changes = []
    for _ in range(random.randint(1, 40)):
        if held and random.random() < 0.55:
            slot, place = random.choice(sorted(held))
            weight = -random.randint(1, held[slot, place])
        else:
            slot, place, weight = random.randrange(_SLOTS), random.randrange(len(values)), random.randint(1, 3)
        held[slot, place] += weight
        held += Counter()  # without the zeros
        changes.append((slot, place, weight))
    return changes


@pytest.mark.parametrize("name", _VALUES)
@pytest.mark.parametrize("compact_above", [0, 4096])
def test_ends_and_turns(name: str, compact_above: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiset, "_COMPACT_ABOVE", compact_above)
    kind, values = _VALUES[name]
    random, held = Random(name), Counter[tuple[int, int]]()
    found = Multiset(kind, least=True, greatest=True)
    slots = np.arange(_SLOTS)
    for step in range(60):
        before = set(held)
        changes = _draw(random, values, held)
        array = pa.array([values[place] for _, place, _ in changes], kind)
        turns = found.update(np.array([s for s, _, _ in changes]), array, np.array([w for _, _, w in changes]), None)
        after = {key for key, count in held.items() if count}
        assert int(turns.weights.sum()) == len(after) - len(before)
        assert len(turns.slots) == len(after ^ before)
        for greatest in (False, True):
            ends = found.first(slots, greatest=greatest)
            pick = max if greatest else min
            expected = [pick((p for s, p in after if s == slot), default=None) for slot in slots]
            wanted = pa.array([None if p is None else values[p] for p in expected], kind)
            assert str(ends.to_pylist()) == str(wanted.to_pylist()), step
        if step % 20 == 19:
            kept = found.dump(slots)
            found = Multiset(kind, least=True, greatest=True)
            found.load(kept, _SLOTS)


def test_a_dump_of_some_slots_renumbers_them() -> None:
    found = Multiset(pa.int64(), greatest=True)
    found.update(np.array([0, 1, 2, 2]), pa.array([10, 20, 30, 31]), None, None)
    some = Multiset(pa.int64(), greatest=True)
    some.load(found.dump(np.array([0, 2])), 2)
    assert some.first(np.array([0, 1]), greatest=True).to_pylist() == [10, 31]
    some.update(np.array([1]), pa.array([31]), np.array([-1]), None)
    assert some.first(np.array([0, 1]), greatest=True).to_pylist() == [10, 30]


def test_what_is_gone_takes_no_place() -> None:
    found = Multiset(pa.int64(), greatest=True)
    for first in range(0, 100_000, 10_000):
        values, slots = pa.array(range(first, first + 10_000)), np.zeros(10_000, np.int64)
        found.update(slots, values, None, None)
        found.update(slots, values, np.full(10_000, -1), None)
    assert len(found._index) <= 20_000
    assert found.first(np.zeros(1, np.int64), greatest=True).to_pylist() == [None]
