"""Preset ``nexmark``: the three tables of the Nexmark auction benchmark.

Of every 50 events 1 is a person, 3 are auctions and 46 are bids, in this
order (2, 6 and 92 %); each table is a source of its own whose row n belongs
to the event below, so the three agree on who exists at what time.

    person n   event 50 * n                       id 1000 + n
    auction n  event 50 * (n / 3) + 1 + n mod 3    id 1000 + n
    bid n      event 50 * (n / 46) + 4 + n mod 46

Half of the bids go to the hot auction (the last one that is a multiple of
100), three of four come from the hot bidder; the rest spread over the last
100 auctions and 1000 people, and a few just ahead of them, as in the original.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from constellationdb.connectors.generator import nexmark_texts as texts
from constellationdb.connectors.generator.columns import TIMESTAMP, timestamps
from constellationdb.connectors.generator.event_time import EventTimes
from constellationdb.connectors.generator.mixing import Ints, Words, below, bits, mix, row_numbers

EVENTS_PER_S = 10_000
FIRST_ID = 1_000
_IN_FLIGHT, _ACTIVE, _LEAD, _HOT = 100, 1_000, 10, 100
_POWERS = np.array([1, 10, 100, 1_000, 10_000, 100_000], dtype=np.int64)

_INT, _TEXT = pa.int64(), pa.string()
_NUMBERS = frozenset({"auction", "bidder", "price", "id", "initial_bid", "reserve", "seller", "category"})
_TIMES = frozenset({"date_time", "expires"})


def _schema(names: str) -> pa.Schema:
    return pa.schema(
        [(name, _INT if name in _NUMBERS else TIMESTAMP if name in _TIMES else _TEXT) for name in names.split()]
    )


SCHEMAS = {
    "bid": _schema("auction bidder price channel url date_time extra"),
    "auction": _schema("id item_name description initial_bid reserve date_time expires seller category extra"),
    "person": _schema("id name email_address credit_card city state date_time extra"),
}


@dataclass(frozen=True)
class Nexmark:
    """One of the three tables."""

    table: str
    seed: int
    times: EventTimes

    @property
    def schema(self) -> pa.Schema:
        return SCHEMAS[self.table]

    def rows(self, first: int, count: int) -> pa.RecordBatch:
        columns = _TABLES[self.table](row_numbers(first, count), self.seed, self.times)
        return pa.RecordBatch.from_arrays(columns, schema=SCHEMAS[self.table])


def bid_event(rows: Ints) -> Ints:
    group, place = np.divmod(rows, 46)
    event: Ints = group * 50 + 4 + place
    return event


def auction_event(rows: Ints) -> Ints:
    group, place = np.divmod(rows, 3)
    event: Ints = group * 50 + 1 + place
    return event


def _bids(rows: Ints, seed: int, times: EventTimes) -> list[pa.Array]:
    word, second = mix(rows, seed, 1), mix(rows, seed, 2)
    group = rows // 46
    return [
        pa.array(_auction_of(group * 3 + 2, word)),
        pa.array(_person_of(group, word, bits(word, 25, 2) != 0, hot_offset=1)),
        pa.array(_price(second)),
        texts.CHANNELS.take(bits(second, 34, 12)),
        texts.URLS.take(bits(second, 46, 12)),
        timestamps(times.of(bid_event(rows))),
        texts.EXTRAS.take(bits(word, 52, 12)),
    ]


def _auctions(rows: Ints, seed: int, times: EventTimes) -> list[pa.Array]:
    word, second = mix(rows, seed, 3), mix(rows, seed, 4)
    happened, initial = times.of(auction_event(rows)), _price(second)
    lasts_us = 1_000_000 + below(word, 0, 1_000) * 20_000  # 1 to 21 s
    return [
        pa.array(rows + FIRST_ID),
        texts.ITEMS.take(bits(word, 40, 12)),
        texts.DESCRIPTIONS.take(bits(second, 34, 12)),
        pa.array(initial),
        pa.array(initial + _price(mix(rows, seed, 5))),
        timestamps(happened),
        timestamps(happened + lasts_us),
        pa.array(_person_of(rows // 3, second, bits(word, 25, 2) != 0, hot_offset=0)),
        pa.array(10 + below(word, 28, 5)),
        texts.EXTRAS.take(bits(word, 52, 12)),
    ]


def _people(rows: Ints, seed: int, times: EventTimes) -> list[pa.Array]:
    word = mix(rows, seed, 6)
    place = below(word, 24, len(texts.CITIES))
    return [
        pa.array(rows + FIRST_ID),
        texts.NAMES.take(bits(word, 0, 12)),
        texts.EMAILS.take(bits(word, 12, 12)),
        texts.CARDS.take(bits(word, 48, 12)),
        texts.CITIES.take(place),
        texts.STATES.take(place),
        timestamps(times.of(rows * 50)),
        texts.EXTRAS.take(bits(word, 40, 12)),
    ]


def _auction_of(last: Ints, word: Words) -> Ints:
    """The auction that is bid on when ``last`` is the newest: the hot one, or one in flight."""
    oldest = np.maximum(last - _IN_FLIGHT, 0)
    cold = oldest + below(word, 0, last - oldest + 1 + _LEAD)
    number: Ints = np.where(bits(word, 24, 1) == 0, last // _HOT * _HOT, cold) + FIRST_ID
    return number


def _person_of(last: Ints, word: Words, hot: np.typing.NDArray[np.bool_], hot_offset: int) -> Ints:
    """The person who acts when ``last`` is the newest: the hot one, or one of the active."""
    active = np.minimum(last + 1, _ACTIVE)
    cold = last + 1 - active + below(word, 28, active + _LEAD)
    number: Ints = np.where(hot, last // _HOT * _HOT + hot_offset, cold) + FIRST_ID
    return number


def _price(word: Words) -> Ints:
    """100 to 99 900 000, each power of ten as likely as the next."""
    price: Ints = (100 + below(word, 0, 900)) * _POWERS[below(word, 10, 6)]
    return price


_TABLES: dict[str, Callable[[Ints, int, EventTimes], list[pa.Array]]] = {
    "bid": _bids,
    "auction": _auctions,
    "person": _people,
}
