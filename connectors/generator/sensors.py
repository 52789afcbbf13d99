"""Preset ``sensors``: readings of a thousand sensors at ten sites, with NULLs and NaNs as real ones have.

sensor       h[0:24] scaled below 1000;  site = sensor mod 10
temperature  (1500 + sensor mod 700 + a wave of ±250 over 100 000 rows + noise below 100) / 100
             NULL where h[24:7] = 0 (1 in 128), NaN where h[32:10] = 0 (1 in 1024)
humidity     (3000 + h2[0:24] scaled below 5000) / 100;  NULL where h2[24:8] = 0
status       'ok', 'warn' (1 in 16) or 'fail' (1 in 256) by h2[40:8]
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from constellationdb.connectors.generator.columns import TIMESTAMP, Pool, timestamps
from constellationdb.connectors.generator.event_time import EventTimes
from constellationdb.connectors.generator.mixing import Ints, Words, below, bits, mix, row_numbers

SCHEMA = pa.schema(
    [
        ("ts", TIMESTAMP),
        ("sensor_id", pa.int64()),
        ("site", pa.string()),
        ("temperature", pa.float64()),
        ("humidity", pa.float64()),
        ("status", pa.string()),
    ]
)
EVENTS_PER_S = 1_000
SITES = Pool([f"site-{chr(ord('a') + i)}" for i in range(10)])
STATUSES = Pool(("ok", "warn", "fail"))


@dataclass(frozen=True)
class Sensors:
    seed: int
    times: EventTimes
    schema: pa.Schema = SCHEMA

    def rows(self, first: int, count: int) -> pa.RecordBatch:
        numbers = row_numbers(first, count)
        word, second = mix(numbers, self.seed, 1), mix(numbers, self.seed, 2)
        sensor = below(word, 0, 1_000)
        columns = [
            timestamps(self.times.of(numbers)),
            pa.array(sensor),
            SITES.take(sensor % 10),
            _temperature(numbers, sensor, word),
            pa.array((3_000 + below(second, 0, 5_000)) / 100.0, mask=bits(second, 24, 8) == 0),
            STATUSES.take(_status(bits(second, 40, 8))),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def _temperature(rows: Ints, sensor: Ints, word: Words) -> pa.Array:
    wave = np.abs(2 * (rows % 100_000) - 100_000) // 200 - 250
    degrees = (1_500 + sensor % 700 + wave + below(word, 40, 100)) / 100.0
    degrees[bits(word, 32, 10) == 0] = np.nan
    # from_pandas=False: a NaN is a value, only the mask makes a NULL
    return pa.array(degrees, mask=bits(word, 24, 7) == 0, from_pandas=False)


def _status(byte: Ints) -> Ints:
    statuses: Ints = np.where(byte == 0, 2, np.where(byte <= 16, 1, 0))
    return statuses
