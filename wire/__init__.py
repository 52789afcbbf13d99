"""The Postgres wire frontend: protocol 3 on one side, ``engine.result.SessionProtocol`` on the other.

Promises. What a client sees is what Postgres 15 would send: the same text for
the same value, byte for byte; the same order of replies; the same SQLSTATEs.
Describe never executes. A failed batch is skipped until Sync. A slow reader
makes its own query wait and nobody else. A client that leaves or cancels stops
its statement. Malformed bytes end their own connection with 08P01.

How a message travels::

    socket ─▶ connection (event loop) ─▶ parser ─▶ link ─▶ conversation (thread) ─▶ session
    socket ◀─ one write a burst ◀──────────────── link ◀─ replies, rows ◀─ Arrow batches

    messages  parser            frontend messages, and bytes into them; no I/O
    replies                     backend messages as bytes
    conversation  extended      the protocol's order; statements and portals
    startup                     user, database, settings, what is reported
    answer  rows  copy_out      a Result as DataRows or COPY data, chunk by chunk
    columns                     how a column is printed: text_columns, binary_columns, array_columns
    cells  kernels              many rows: where the values lie, the loops that print them and copy them side by side
    single_cells  row_writer    few rows: one value, one row at a time
    parameters                  what a client binds, in text or binary
    lane  forms                 small prepared statements, answered on the event loop; what their Binds have in common
    fanout                      subscribers of one relation, sent the same bytes by the event loop
    link  connection  limits    the bounded bridge between loop and thread; cancel keys; what a client may take
    buenavista                  the engine behind that server's seam, for those who have one

Left out so far: encryption and passwords (the server listens on loopback
only), notifications, encodings other than UTF-8, records in
binary. SQL computes in the zone that results are printed in.
"""
