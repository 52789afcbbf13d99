"""The inner loops: machine code over flat arrays, with a thin Python face.

What it is: the parts of keyed operators that touch every row. ``rowcodec``
turns key columns into canonical bytes, ``keyindex`` turns those bytes into
dense slots, and everything else counts, sums and links by slot.

What it promises: an identity is bytes, never a hash alone; the answer depends
on the rows and their order only, never on timing, capacity or the machine;
kernels run without the GIL and none compiles after start-up (``jit``).

How it works::

    batch ── encode_rows ──► Rows (bytes, hash) ── KeyIndex.upsert ──► slots
                                                                        │
       chains.append(head, next, slots)   accumulate.add_sum(..., slots, values)

What it leaves out: threads (one at a time may use an index), SQL, and
anything a library does as fast.
"""
