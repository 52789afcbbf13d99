"""Preset ``market``: trades of two dozen symbols.

The documented formula, all in integers; ``h`` is the row's word of stream 1,
``h2`` of stream 2, and ``h[a:w]`` are ``w`` bits of it from bit ``a``:

    symbol   SYMBOLS[WEIGHTED[h[0:6]]]                    the first ones are traded more often
    period   60 000 + 7 000 * symbol index                rows of one up-and-down of its price
    wave     |2 * (row mod period) - period| * 100 / period - 50          from -50 to 50
    price    base * (1000 + wave + h[8:24] scaled below 21 - 10) / 1000   cents, rounded down
    size     where h2[24:2] = 0: 1 + h2[0:24] scaled below 99; else 100 * (1 + scaled below 10);
             where h2[32:9] = 0 it is a block: that times 100
    side     buy or sell by h2[41:1];  venue  by h2[42:2]
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from constellationdb.connectors.generator.columns import TIMESTAMP, Pool, decimals, timestamps
from constellationdb.connectors.generator.event_time import EventTimes
from constellationdb.connectors.generator.mixing import Ints, below, bits, mix, row_numbers

SCHEMA = pa.schema(
    [
        ("ts", TIMESTAMP),
        ("symbol", pa.string()),
        ("price", pa.decimal128(12, 2)),
        ("size", pa.int64()),
        ("side", pa.string()),
        ("venue", pa.string()),
        ("trade_id", pa.int64()),
    ]
)
EVENTS_PER_S = 1_000

# symbol, price in cents around which it moves
SYMBOLS = (
    ("AAPL", 19_012), ("MSFT", 41_555), ("NVDA", 88_020), ("AMZN", 17_840), ("GOOG", 14_277), ("META", 48_533),
    ("IPOX", 61_250), ("TSLA", 20_206), ("JPM", 18_490), ("V", 27_815), ("UNH", 49_260), ("XOM", 10_471),
    ("JNJ", 16_044), ("PG", 15_872), ("HD", 37_310), ("COST", 73_905), ("KO", 6_012), ("PEP", 16_934),
    ("CVX", 15_208), ("BAC", 3_457), ("PFE", 2_711), ("NKE", 10_377), ("DIS", 11_162), ("ZZTP", 99),
)  # fmt: skip
SIDES = Pool(("buy", "sell"))
VENUES = Pool(("XNAS", "XNYS", "BATS", "IEXG"))

_NAMES = Pool([symbol for symbol, _ in SYMBOLS])
_BASES = np.array([cents for _, cents in SYMBOLS], dtype=np.int64)


def _weighted(slots: int) -> Ints:
    """A slot for every symbol, the rest dealt out again from the first one, each time to fewer."""
    order: list[int] = []
    share = len(SYMBOLS)
    while len(order) < slots:
        order += range(share)
        share = max(share * 2 // 3, 1)
    return np.array(order[:slots], dtype=np.int64)


WEIGHTED = _weighted(64)


@dataclass(frozen=True)
class Market:
    seed: int
    times: EventTimes
    schema: pa.Schema = SCHEMA

    def rows(self, first: int, count: int) -> pa.RecordBatch:
        numbers = row_numbers(first, count)
        word, second = mix(numbers, self.seed, 1), mix(numbers, self.seed, 2)
        symbol = WEIGHTED[bits(word, 0, 6)]
        columns = [
            timestamps(self.times.of(numbers)),
            _NAMES.take(symbol),
            decimals(_cents(numbers, symbol, below(word, 8, 21)), 12, 2),
            pa.array(_sizes(below(second, 0, 99), below(second, 0, 10), second)),
            SIDES.take(bits(second, 41, 1)),
            VENUES.take(bits(second, 42, 2)),
            pa.array(numbers),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def _cents(rows: Ints, symbol: Ints, noise: Ints) -> Ints:
    period = 60_000 + 7_000 * symbol
    wave = np.abs(2 * (rows % period) - period) * 100 // period - 50
    cents: Ints = _BASES[symbol] * (1_000 + wave + noise - 10) // 1_000
    return cents


def _sizes(odd: Ints, lots: Ints, word: np.typing.NDArray[np.uint64]) -> Ints:
    ordinary = np.where(bits(word, 24, 2) == 0, 1 + odd, 100 * (1 + lots))
    sizes: Ints = np.where(bits(word, 32, 9) == 0, ordinary * 100, ordinary)
    return sizes
