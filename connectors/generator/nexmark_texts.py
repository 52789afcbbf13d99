"""The texts of the Nexmark tables: pools of 4096 (12 bits choose one), the same for every seed."""

from __future__ import annotations

import numpy as np

from constellationdb.connectors.generator.columns import Pool
from constellationdb.connectors.generator.mixing import bits, mix, row_numbers

SIZE = 4096
_LETTERS = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz012345", dtype=np.uint8)
_HOT_CHANNELS = ("Google", "Facebook", "Baidu", "Apple")
_FIRST = ("Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter")
_LAST = ("Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris")
_PLACES = (
    ("Phoenix", "AZ"), ("Los Angeles", "CA"), ("San Francisco", "CA"), ("Boise", "ID"), ("Portland", "OR"),
    ("Bend", "OR"), ("Redmond", "WA"), ("Seattle", "WA"), ("Kent", "WA"), ("Cheyenne", "WY"),
)  # fmt: skip


def _words(stream: int, length: int) -> list[str]:
    """SIZE words of ``length`` letters, each letter from five bits of a word of its own stream."""
    rows = row_numbers(0, SIZE)
    letters = np.stack([bits(mix(rows, 0, stream * 1_000 + place), 0, 5) for place in range(length)], axis=1)
    text = _LETTERS[letters].tobytes().decode("ascii")
    return [text[start : start + length] for start in range(0, SIZE * length, length)]


def _channels() -> list[str]:
    """Half of the entries are one of the four hot channels."""
    return [_HOT_CHANNELS[i // 2 % 4] if i % 2 == 0 else f"channel-{i}" for i in range(SIZE)]


def _cards() -> list[str]:
    numbers = mix(row_numbers(0, SIZE), 0, 7_000)
    digits = [f"{int(number) % 10**16:016d}" for number in numbers]
    return [" ".join(text[i : i + 4] for i in range(0, 16, 4)) for text in digits]


CHANNELS = Pool(_channels())
_SHOP = "https://www.nexmark.com"
URLS = Pool([f"{_SHOP}/{word}/{word[::-1]}/item.htm?query=1&channel_id={i}" for i, word in enumerate(_words(1, 5))])
EXTRAS = Pool(_words(2, 32))
ITEMS = Pool(_words(3, 12))
DESCRIPTIONS = Pool(_words(4, 40))
NAMES = Pool([f"{_FIRST[i % len(_FIRST)]} {_LAST[i // len(_FIRST) % len(_LAST)]}" for i in range(SIZE)])
EMAILS = Pool([f"{name}@{host}.com" for name, host in zip(_words(5, 7), _words(6, 5), strict=True)])
CARDS = Pool(_cards())
CITIES = Pool([city for city, _ in _PLACES])
STATES = Pool([state for _, state in _PLACES])
