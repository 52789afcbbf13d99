"""The engine: input cut into epochs, views that follow them, and the sessions that ask.

What it is: everything between a parsed plan and a row that is seen. ``engine.Engine``
is one process's relations, jobs and threads; ``session.Session`` is one client.

What it promises:

* At epoch e a view holds what its query answers over all inputs up to e. Nothing of an epoch shows before all of it.
* An epoch's record is durable before anybody sees the epoch or is told of it, and a replay of the log gives the same
  epochs with the same numbers, rows, watermarks and lookup answers.
* One writer evaluates all DML, statement after statement; a session that wrote waits, when it reads, for its own write.
* A slow lookup, a first answer being computed or a failed job holds up only what reads it. Nobody waits for a client.
* No row vanishes: it is in its view, in ``<view>_errors``, or counted as late. A count never becomes negative.

How it works::

    sessions ──▶ sequencer thread: epochs of input ──▶ relation logs ──▶ worker thread: jobs, epoch by epoch
       ▲            evaluate, log, sync, publish         │    ▲               graph of operators, by kernels
       └──────────── snapshot reads, subscriptions ◀─────┘    └──────────────────────┘ a view is a relation, too

    session  performing  selects  changes  defining      what a client says, statement by statement; explains
    naming  schemas  comments                            which relations names mean; what is said of objects
    transaction  transaction_control  variables          what it says of itself; settings, setting_table, setting_kinds
    prepared_statements  portals  cursors  streams       what it has open, by name; temporary: tables of its own
    sessions  alarms                                     who is there, who has to go; timeouts
    sequencer  record  writes  dml  tables  sources      how it becomes an epoch of input
    relation  contents  arrangement  rowstore            epoch deltas (Z-sets: ``batch``) and what they add up to
    worker  job  graph  operators/  fragment  exchange   how a view follows
    accumulators  shared_index  kernels/                 what keyed operators keep, and the loops over it
    processes/  channels/                                jobs on other cores, and the rings to them
    lookups  fetching  replicas                          tables that somebody else changes
    reads  visible  point_index  overlay                 one epoch for all of a SELECT; a transaction's own changes
    subscription  system_tables                          changes as they come; what the engine is doing
    durability  capture  checkpoint_blobs  recovery      checkpoints, beside running epochs, and restarts
    savepoints  going_back  checkpoint_settings          … that are kept, and gone back to; how many, and how often

What it leaves out: bytes of the wire, SQL's text and its planning, files. All state is in memory (none is spilled).
"""
