"""Connectors: how rows come in from the world and go out to it, and how a lookup asks it.

``api`` is the seam; everything else here fills it, and ``registry`` opens a
connector by the name a statement gives:

    open_source("generator", None, {"preset": "market", "seed": "7"})   -> Source
    open_lookup("postgres", schema, ["id"], {"dsn": ..., "table": ...}) -> LookupSource
    open_sink("file", shape, {"path": ...})                             -> Sink

    generator/          rows that are a pure function of (seed, row number)
    file/               CSV, JSON lines and Parquet, followed as they grow if asked
    inline, file_lookup, postgres_lookup     the back ends of lookup tables
    file_sink/, postgres_sink/               targets of sinks; output/: rows as text
    predicates, pushdown                     what a back end cannot evaluate, evaluated here

It promises: a reader opened at a position it reported gives the same rows
again; a row that cannot be decoded becomes a RowError and never stops the
stream; a sink's target has a transaction whole or not at all, with its
marker; a lookup that fails raises, it never answers "no rows"; and a lookup
gives the same answer whatever its back end can evaluate itself.

It leaves out: caching of answers, watermarks, epochs and retries of a whole
statement (the engine's), and everything asynchronous: a poll never waits, a
fetch may block and is called on a thread that may.
"""
