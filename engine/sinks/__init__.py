"""Sinks: the changes of a relation, delivered to a target outside or to a table, each epoch exactly once.

    the relation's log ──▶ delivery, a thread a sink ──▶ shape ──▶ SinkWriter: one transaction, with the epoch as marker
         ▲ keeps what the target does not have                         │
         └──────────────────── position: asked of the target ◀─────────┘

    keys         the columns by which rows of a relation replace each other
    shapes       changes as an append, an upsert or a Debezium stream wants them
    delivery     a sink at run time
    table        INTO a table of ours, whose marker is in the epoch's record
    definitions  CREATE SINK and ALTER SINK as entries of the catalog, and what is refused
    statements   … for a session

It promises: what a target has up to its marker is what the relation was at that epoch (append and debezium: all of its
changes, once each). A restart asks the target, and goes on behind its marker; where the log does not reach back to it,
or it is from another history, the sink fails and says both epochs. A target that cannot be reached is tried again, and
holds up nobody else.
"""
