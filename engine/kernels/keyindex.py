"""KeyIndex: canonical key bytes to dense slots, numbered in order of first insertion.

Everything a keyed operator knows of a key lies in arrays at the key's slot.
Slots are never reused within one index: ``compact`` makes a new index without
the dropped keys and says where the others went.

Growth is spread out. When a large table is 40 % full, a table of twice the
size is readied beside it while the old one goes on answering: for every key
that arrives, first some of its memory is touched (fresh memory is what costs
most), then a few slots are entered. It takes over when it has caught up, long
before the old one is full (60 %). So no single batch pays for the whole move.

Words that lie close together need none of this: while all keys are such, a
slot is read from an array at the place of its key (``dense``).

One thread at a time may use an index, for lookups too.
"""

from __future__ import annotations

from typing import TypeGuard

import numpy as np

from constellationdb.engine.kernels import dense
from constellationdb.engine.kernels.dense import I32
from constellationdb.engine.kernels.keytable import (
    fill,
    fill_pairs,
    find_bytes,
    find_pairs,
    find_plain_words,
    find_words,
)
from constellationdb.engine.kernels.rows import (
    I64,
    U8,
    U64,
    VARIABLE,
    WORD_WIDTH,
    Bool,
    PairRows,
    Rows,
    WordRows,
    gather,
    rows_of,
)
from constellationdb.errors import CorruptState
from constellationdb.storage.scratch.arrays import enlarged, zeros

# What the keys are, and how many int64 an entry of their table has.
_BYTES, _WORDS, _PAIRS = 0, 1, 2
_ENTRY = (2, 2, 4)
_FIRST_CAPACITY = 64
# Below this, growing at once takes less than a millisecond.
_GRADUAL_FROM = 1 << 16
_WORDS_PER_NEW_KEY = 128
_SLOTS_PER_NEW_KEY = 8
# A batch that begins with new keys may still repeat them: room for what it seems to bring is made in steps.
_MOST_GROWTH = 8
# Four bytes each, and as many again in reserve: a table takes about forty bytes a key.
_PLACES_PER_KEY = 4
_FEWEST_PLACES = 1 << 14
_NO_SKIP: Bool = np.zeros(0, np.bool_)
_NEVER_INSERT = -1


def stored_rows(data: U8, offsets: I64) -> Rows:
    """Keys as they were written down."""
    data, offsets = np.ascontiguousarray(data, np.uint8), np.ascontiguousarray(offsets, np.int64)
    words = len(offsets) > 1 and bool((np.diff(offsets) == WORD_WIDTH).all())
    return rows_of(data, offsets, WORD_WIDTH if words else VARIABLE)


class KeyIndex:
    """A growing map from key bytes to slots 0, 1, 2, … Once it grows it has ``room`` for so many keys."""

    def __init__(self, room: int = 0) -> None:
        self._room = room
        self._form = _BYTES
        self._keys: U8 = np.empty(1024, np.uint8)
        self._offsets: I64 = np.zeros(_FIRST_CAPACITY + 1, np.int64)
        self._hashes: U64 = np.empty(_FIRST_CAPACITY, np.uint64)
        # Keys and bytes in the arena. Invariant: _offsets[keys] == bytes.
        self._state: I64 = np.zeros(2, np.int64)
        self._table = self._empty_table(_FIRST_CAPACITY)
        # The table that will take over. Invariant: it holds exactly the slots below _moved.
        self._next: I64 | None = None
        self._moved = 0
        self._zeroed = 0
        # While all keys are words close together: the slot of each by its distance from the least, and the keys by
        # slot; of the other arrays only _state is in use then. None once a key was of another kind.
        self._places: I32 | None = np.empty(0, np.int32)
        self._least = 0
        self._values: I64 = np.empty(_FIRST_CAPACITY, np.int64)

    def __len__(self) -> int:
        return int(self._state[0])

    @property
    def hashes(self) -> U64:
        """The hash of every slot's key, as a view that the next upsert may outdate."""
        return self._hashes[: len(self)] if self._places is None else WordRows(self._values[: len(self)]).hashes

    @property
    def nbytes(self) -> int:
        arrays = (self._keys, self._offsets, self._hashes, self._table, self._next, self._places, self._values)
        return sum(array.nbytes for array in arrays if array is not None)

    def upsert(self, rows: Rows) -> tuple[I64, int]:
        """Each row's slot, and how many of them are new keys; -1 for a NULL that matches nothing."""
        before, out, row = len(self), np.empty(len(rows), np.int64), 0
        if self._has_places(rows):
            assert self._places is not None
            self._state[0] = dense.upsert(rows.words, self._least, self._places, self._values, before, out)
            return out, len(self) - before
        self._choose_form(rows)
        while (row := self._find(rows, out, row, self._limit())) < len(rows):
            self._make_room(rows, row, before)
        added = len(self) - before
        if added:
            self._grow_gradually(added)
        return out, added

    def probe(self, rows: Rows) -> I64:
        """Each row's slot, -1 where its key is unknown."""
        out = np.empty(len(rows), np.int64)
        if self._places is not None and isinstance(rows, WordRows):
            dense.find(rows.words, self._least, self._places, out)
            return out
        self._leave_places()
        self._choose_form(rows)
        self._find(rows, out, 0, _NEVER_INSERT)
        return out

    def probe_word(self, word: int) -> int:
        """The slot of one key that is a word, -1 where it is unknown."""
        if self._places is None:
            return self.probe(WordRows(np.array([word], np.int64))).item()
        place = word - self._least
        return self._places.item(place) if 0 <= place < len(self._places) else -1

    def keys_at(self, slots: I64) -> Rows:
        """The keys of some slots."""
        if self._places is not None:
            return WordRows(self._values[slots])
        data, offsets = gather(self._keys, self._offsets, slots)
        return rows_of(data, offsets, WORD_WIDTH if self._form == _WORDS else VARIABLE)

    def snapshot(self, since_slot: int = 0) -> tuple[U8, I64]:
        """A copy of the keys from ``since_slot`` on, as (data, offsets)."""
        if self._places is not None:
            rows = WordRows(self._values[since_slot : len(self)])
            return rows.data, rows.offsets
        offsets = self._offsets[since_slot : len(self) + 1]
        return self._keys[offsets[0] : offsets[-1]].copy(), offsets - offsets[0]

    def restore(self, data: U8, offsets: I64) -> None:
        """Append what ``snapshot`` gave: its keys get the next slots in their order."""
        _, added = self.upsert(stored_rows(data, offsets))
        if added != len(offsets) - 1:
            raise CorruptState(
                f"a snapshot of keys holds {len(offsets) - 1 - added} keys that are already known",
                hint="restore from an older checkpoint",
            )

    def compact(self, keep: Bool) -> tuple[KeyIndex, I64]:
        """A new index of the slots marked in ``keep``, in their order; and old slot to new, -1 if dropped."""
        kept = np.flatnonzero(keep[: len(self)])
        remap = np.full(len(self), -1, np.int64)
        remap[kept] = np.arange(len(kept))
        smaller = KeyIndex()
        if self._places is not None:
            smaller.upsert(WordRows(self._values[kept]))
            return smaller, remap
        smaller._adopt(*gather(self._keys, self._offsets, kept), self._hashes[kept], self._form)
        return smaller, remap

    def _has_places(self, rows: Rows) -> TypeGuard[WordRows]:
        """Whether every row's key has a place of its own, now at the latest."""
        if self._places is not None and isinstance(rows, WordRows) and self._make_places(rows.words):
            return True
        self._leave_places()
        return False

    def _make_places(self, words: I64) -> bool:
        assert self._places is not None
        if len(words) == 0:
            return True
        least, greatest = int(words.min()), int(words.max())
        if not self._least <= least <= greatest < self._least + len(self._places):
            most = max(_FEWEST_PLACES, _PLACES_PER_KEY * (len(self) + len(words)))
            wider = dense.widened(self._least, self._places, least, greatest, most)
            if wider is None:
                return False
            self._least, self._places = wider
        if len(self) + len(words) > len(self._values):
            self._values = enlarged(self._values, len(self), len(self) + len(words))
        return True

    def _leave_places(self) -> None:
        """From here on keys are bytes in a table."""
        if self._places is None:
            return
        self._places, rows = None, WordRows(self._values[: len(self)])
        if len(rows):
            self._adopt(rows.data, rows.offsets, rows.hashes, _WORDS)

    def _adopt(self, keys: U8, offsets: I64, hashes: U64, form: int) -> None:
        self._places, self._form = None, form
        self._keys, self._offsets, self._hashes = keys, offsets, hashes
        self._state[:] = len(hashes), len(keys)
        self._rebuild(len(self))

    def _choose_form(self, rows: Rows) -> None:
        """Words and pairs of them have forms of their own for as long as no other key is seen."""
        form = _form_of(rows)
        if form == self._form:
            return
        if len(self) == 0:
            self._form, self._next = form, None
            self._table = self._empty_table(_FIRST_CAPACITY)
        elif self._form != _BYTES:
            self._form = _BYTES
            self._rebuild(len(self))

    def _find(self, rows: Rows, out: I64, first: int, limit: int) -> int:
        mask, arena = self._capacity - 1, (self._keys, self._offsets, self._hashes, self._state)
        if isinstance(rows, PairRows) and self._form == _PAIRS:
            return find_pairs(self._table, mask, limit, rows.first, rows.second, rows.hashes, first, *arena, out)
        if isinstance(rows, WordRows) and self._form == _WORDS:
            return find_plain_words(self._table, mask, limit, rows.words, first, *arena, out)
        skip = _NO_SKIP if rows.nulls_match else rows.null_mask
        find = find_words if self._form == _WORDS else find_bytes
        return find(self._table, mask, limit, rows.data, rows.offsets, rows.hashes, skip, first, *arena, out)

    @property
    def _capacity(self) -> int:
        return len(self._table) // _ENTRY[self._form]

    def _limit(self) -> int:
        return min(len(self._hashes), _most_keys(self._capacity))

    def _make_room(self, rows: Rows, row: int, before: int) -> None:
        """Space for the key of ``row``, and for those after it that are new if they are as often as up to here."""
        count, used, left = len(self), int(self._state[1]), len(rows) - row
        more = min(1 + left * (count - before) // (row + 1), _MOST_GROWTH * count + 1)
        more = max(more, self._room - count)
        size = (1 + more) * rows.width if rows.width != VARIABLE else _size(rows, row, more)
        if count >= len(self._hashes):
            self._hashes = enlarged(self._hashes, count, count + more)
            self._offsets = enlarged(self._offsets, count + 1, len(self._hashes) + 1)
        if used + size > len(self._keys):
            self._keys = enlarged(self._keys, used, used + size)
        if count >= _most_keys(self._capacity):
            self._rebuild(count + more)

    def _rebuild(self, expected: int) -> None:
        """A larger table with every slot in it, now, and space for ``expected`` keys."""
        capacity = _FIRST_CAPACITY
        while capacity * 2 <= expected * 5:  # at most 40 % full
            capacity *= 2
        self._next, self._moved = None, 0
        self._table = self._empty_table(capacity)
        self._enter(self._table, 0, len(self))

    def _grow_gradually(self, added: int) -> None:
        capacity = self._capacity
        if self._next is None:
            if capacity < _GRADUAL_FROM or len(self) * 5 < capacity * 2:
                return
            self._next, self._moved, self._zeroed = self._empty_table(2 * capacity), 0, 0
        if self._zeroed < len(self._next):
            first, self._zeroed = self._zeroed, self._zeroed + _WORDS_PER_NEW_KEY * added
            self._next[first : self._zeroed] = 0
            return
        until = min(len(self), self._moved + _SLOTS_PER_NEW_KEY * added + 1024)
        self._enter(self._next, self._moved, until)
        self._moved = until
        if until == len(self):
            self._table, self._next, self._moved = self._next, None, 0

    def _enter(self, table: I64, first: int, last: int) -> None:
        mask = len(table) // _ENTRY[self._form] - 1
        if self._form == _PAIRS:
            fill_pairs(table, mask, self._keys, self._hashes, first, last)
        else:
            fill(table, mask, self._keys, self._hashes, first, last, self._form == _WORDS)

    def _empty_table(self, capacity: int) -> I64:
        return zeros(_ENTRY[self._form] * capacity, np.dtype(np.int64))


def _form_of(rows: Rows) -> int:
    if isinstance(rows, PairRows):
        return _PAIRS
    return _WORDS if rows.width == WORD_WIDTH else _BYTES


def _size(rows: Rows, row: int, more: int) -> int:
    """The bytes of a key, and of ``more`` that are as long as those behind it are on average."""
    rest = int(rows.offsets[-1] - rows.offsets[row])
    return int(rows.offsets[row + 1] - rows.offsets[row]) + more * rest // (len(rows) - row)


def _most_keys(capacity: int) -> int:
    """60 % of the entries: beyond, searches get long, and in a full table they never end."""
    return capacity * 3 // 5
