"""State stores: ordered keys and values, from a few to more than fit in memory, and what they looked like at a moment.

    store.py     the seam: StateStore, StateSnapshot, batches of items
    logged.py    MemoryStateStore
    mapped.py    MappedStateStore: the same log of versions in a mapped file
    rocks.py     RocksStateStore: for what the other two cannot hold
    versions.py  the log of versions under the first two, in an arena (arena.py)
    indexed.py   IndexedStore: a store and its secondary indexes (secondary_index.py)
    chain.py     SnapshotChain: full snapshots and deltas in a directory, verified link by link
    parts.py     one of them as a file
    header.py    how every file here begins

What it promises: every backend gives the same answers (one suite, and one state machine against a dict, run them all);
``size_bytes`` is exact; a snapshot is of its moment, whatever happens to the store; all strategies of taking one hold
the same content, and a delta is as large as what changed; damage is `CorruptState`, never other content.

How a store is chosen: memory for what fits; mapped when the content should survive the process, or is larger than
memory while some forty bytes a key are not; RocksDB for the rest. Only the first two take millions of keys a second.

What it leaves out: deciding when a snapshot is taken, and where else it is kept.
"""
