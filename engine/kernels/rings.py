"""The ring of frames in memory that two processes share: one puts frames in, the other takes them out.

The first words are the header, the rest holds frames. ``HEAD`` and ``TAIL`` count bytes and never go back; a frame
lies at its count modulo the capacity. A frame begins with its size (itself included, a multiple of 64), its kind, and
the length of the whole message; it never wraps, a ``PAD`` fills what is left before the end. Each word of the header is
written by one side, but ``HEAD``: a sender that drops the oldest frame moves it, too. Therefore it moves by
compare-and-swap alone, and a receiver that copied a frame has it only if the head was still there afterwards.

Nobody waits here. A side that is about to sleep says so in its word (``RECEIVER_PARKED``: 1, ``SENDER_PARKED``: the
room it needs), a fence, and looks again; the other side publishes, a fence, and looks at that word. So one of the two
sees the other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from constellationdb.engine.kernels.atomics import (
    compare_and_swap,
    exchange,
    fence,
    load_acquire,
    pause,
    store_release,
)
from constellationdb.jit import inlined, kernel
from constellationdb.storage.kernels.memory import copy_bytes

I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]

# Words of the header. What the two sides write is on cache lines of their own, in pairs, since they are fetched so.
MAGIC, CAPACITY = 0, 1
TAIL = 16
HEAD = 32
SENT, SENT_BYTES, DROPPED, BLOCKED_NS, SENDER_CLOSED = 48, 49, 50, 51, 52
TAKEN, RECEIVER_CLOSED = 64, 65
RECEIVER_PARKED = 80
SENDER_PARKED = 96

HEADER_BYTES = 4096
FRAME_BYTES = 64
_FRAMES = HEADER_BYTES // 8
_SIZE, _KIND, _TOTAL = 0, 1, 2

PAD, WHOLE, FIRST, NEXT = 0, 1, 2, 3
FULL = -1
LOST, TOOK, TOOK_AND_WAKES = -1, 0, 1


@inlined
def _frame(memory: I64, count: int) -> int:
    """The word at which the frame of this count begins."""
    return int(_FRAMES + (count % memory[CAPACITY]) // 8)


@inlined
def _place(memory: I64, needed: int) -> int:
    """The count at which a frame of so many bytes would begin, or FULL."""
    capacity = memory[CAPACITY]
    tail = load_acquire(memory, TAIL)
    to_end = capacity - tail % capacity
    padding = 0 if needed <= to_end else to_end
    if padding + needed > capacity - (tail - load_acquire(memory, HEAD)):
        return FULL
    return int(tail + padding)


@kernel("i64(i64[], i64)")
def reserve(memory: I64, needed: int) -> int:
    """Where a frame of ``needed`` bytes may be written, as a count; FULL when there is no room now."""
    return _place(memory, needed)


@kernel("i64(i64[], i64)")
def make_room(memory: I64, needed: int) -> int:
    """The same, and the oldest frames go until there is; at most half of the capacity can always be had."""
    place = _place(memory, needed)
    while place == FULL:
        head = load_acquire(memory, HEAD)
        frame = _frame(memory, head)
        kind = memory[frame + _KIND]
        # When the receiver was faster it made room itself.
        if compare_and_swap(memory, HEAD, head, head + memory[frame + _SIZE]) and kind != PAD:
            store_release(memory, DROPPED, memory[DROPPED] + 1)
        place = _place(memory, needed)
    return place


@kernel("bool(i64[], i64, i64, i64, i64, bool)")
def publish(memory: I64, place: int, size: int, kind: int, total: int, last: bool) -> bool:
    """Show the frame that was written there; True when the receiver sleeps and has to be woken.

    ``last``: it ends a message of ``total`` bytes, which is counted."""
    tail = memory[TAIL]
    if place != tail:
        padding = _frame(memory, tail)
        memory[padding + _SIZE] = place - tail
        memory[padding + _KIND] = PAD
    frame = _frame(memory, place)
    memory[frame + _SIZE] = size
    memory[frame + _KIND] = kind
    memory[frame + _TOTAL] = total
    if last:
        store_release(memory, SENT_BYTES, memory[SENT_BYTES] + total)
        store_release(memory, SENT, memory[SENT] + 1)
    store_release(memory, TAIL, place + size)
    fence()
    return bool(load_acquire(memory, RECEIVER_PARKED) != 0 and exchange(memory, RECEIVER_PARKED, 0) != 0)


@kernel("bool(i64[], i64[])")
def peek(memory: I64, seen: I64) -> bool:
    """Whether there is a frame; ``seen`` becomes its count, size, kind and total."""
    while True:
        head = load_acquire(memory, HEAD)
        if head == load_acquire(memory, TAIL):
            return False
        frame = _frame(memory, head)
        size, kind, total = memory[frame + _SIZE], memory[frame + _KIND], memory[frame + _TOTAL]
        fence()
        if load_acquire(memory, HEAD) != head:
            continue  # dropped, and perhaps written over, while it was read
        if kind == PAD:
            compare_and_swap(memory, HEAD, head, head + size)
            continue
        seen[0], seen[1], seen[2], seen[3] = head, size, kind, total
        return True


@kernel("i64(i64[], i64[], u8[], i64, i64, bool)")
def take(memory: I64, seen: I64, target: U8, at: int, count: int, last: bool) -> int:
    """Copy ``count`` bytes of the frame that was seen and free it: LOST when it was dropped meanwhile, else TOOK, or
    TOOK_AND_WAKES when the sender sleeps, has its room now, and has to be woken. ``last``: it ends a message."""
    copy_bytes(memory.view(np.uint8), 8 * _frame(memory, seen[0]) + FRAME_BYTES, target, at, count)
    if not compare_and_swap(memory, HEAD, seen[0], seen[0] + seen[1]):
        return LOST
    if last:
        store_release(memory, TAKEN, memory[TAKEN] + 1)
    fence()
    needed = load_acquire(memory, SENDER_PARKED)
    if needed != 0 and _place(memory, needed) != FULL and exchange(memory, SENDER_PARKED, 0) != 0:
        return TOOK_AND_WAKES
    return TOOK


@inlined
def _has_message(memory: I64) -> bool:
    if load_acquire(memory, HEAD) != load_acquire(memory, TAIL):
        return True
    return bool(load_acquire(memory, SENDER_CLOSED) != 0)


@inlined
def _has_room(memory: I64, needed: int) -> bool:
    return bool(_place(memory, needed) != FULL or load_acquire(memory, RECEIVER_CLOSED) != 0)


@kernel("bool(i64[], i64)")
def await_message(memory: I64, looks: int) -> bool:
    """Whether there is a message, or will be none any more; looked for so often, and once at least."""
    for _ in range(looks - 1):
        if _has_message(memory):
            return True
        pause()
    return _has_message(memory)


@kernel("bool(i64[], i64, i64)")
def await_room(memory: I64, needed: int, looks: int) -> bool:
    """Whether there is room, or nobody to read any more; looked for so often, and once at least."""
    for _ in range(looks - 1):
        if _has_room(memory, needed):
            return True
        pause()
    return _has_room(memory, needed)


@kernel("void(i64[], i64, i64)")
def park(memory: I64, word: int, value: int) -> None:
    """Say that this side is about to sleep; it looks once more after this."""
    exchange(memory, word, value)
    fence()


@kernel("void(i64[], i64)")
def unpark(memory: I64, word: int) -> None:
    """Nobody sleeps there now."""
    exchange(memory, word, 0)


@kernel("bool(i64[], i64, i64)")
def close_side(memory: I64, closed: int, parked: int) -> bool:
    """Say that this side is done; True when the other one sleeps and has to be woken."""
    store_release(memory, closed, 1)
    fence()
    return bool(exchange(memory, parked, 0) != 0)


@kernel("i64(i64[], i64)")
def read_word(memory: I64, word: int) -> int:
    """One word of the header."""
    return int(load_acquire(memory, word))


@kernel("void(i64[], i64, i64)")
def write_word(memory: I64, word: int, value: int) -> None:
    """One word of the header, by the side it belongs to."""
    store_release(memory, word, value)
