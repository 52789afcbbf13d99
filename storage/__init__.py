"""What survives a crash: the epoch log, checkpoints, and keyed bytes.

What each module is:

    directory.py    the layout of a data directory, its format version, its one owner
    epochlog.py     every epoch's record, durable before anything of the epoch is seen
    segment.py      how the log's records lie in a file, and how a damaged file is judged
    rewinding.py    the log without what comes after an epoch
    checkpoints/    state as of an epoch: named blobs and a manifest, committed as one
    objects/        where checkpoints lie: a directory or an object store
    state/          ordered keys and values in memory or on disk (StateStore), their snapshots and indexes
    kernels/        the loops over every key: encoding, hashing, finding, ordering
    buffers.py      bytes, as whatever they lie in
    arrow_blobs.py  Arrow batches as bytes, with or without a header
    spool.py        batches in files instead of memory
    rocks.py        how we open RocksDB and read its errors
    disk.py         writes, syncs, atomic creation of files: the place to inject faults
    lockfile.py     one process per directory

What it promises:

* What was acknowledged is there after a kill or a power cut: `EpochLog.sync` and `CheckpointStore.commit` return
  after the data is on the medium, and an open log is synced before its epochs are called durable.
* Damage is an error with file and offset (`CorruptState`), never silence. The one thing that is cut off without
  an error is the unacknowledged tail a crash leaves behind, and even that is reported (`RecoveryReport`).
* A failed write or sync of the log is final: the page cache may have dropped the data, so a retry would lie. It refuses
  everything further and the process has to restart from what is durable. A checkpoint that fails leaves the one before;
  the next attempt writes other objects.
* A directory has one owner; a second process is told the pid of the first.

How a restart uses it: the newest whole checkpoint, at epoch c, its blobs, then ``read_from(c + 1)``:

    epochs      1 … 40 | 41 … 57 | 58 59
                       ^ c = 40  ^ durable_epoch = 57
                checkpoint        log replays 41 … 57; 58 and 59 were never acknowledged

What it leaves out: caches and spilling come with the features that need them; no operator keeps its
state in a StateStore yet. Nothing here knows what an operator, a relation or a schema is.
"""
