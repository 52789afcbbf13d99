"""Constellation inside a Python program: a database in this process, or a connection to a server, with one face.

    db = connect()                       in memory, gone with the process
    db = connect("./data")               in a directory, survives kill -9
    db = connect("postgres://host:5433") somewhere else, over the wire

Promises. ``Database.sql`` is lazy: nothing runs before rows are asked for, and
each asking runs it anew, at the newest epoch. Every method does the same on
all three kinds. Errors are those of ``constellationdb.errors``. A subscription
gives whole epochs, and its token resumes it without a gap or a repetition.

    database      Database: sql, execute, events, insert, copy, transaction, subscribe, close
    relation      a query's text, and the ways to look at its rows
    subscription  changes epoch by epoch, in ``for`` and ``async for``
    functions     functions and aggregates of the program's own, for SQL to call
    rows          what ``insert`` takes, made one Arrow batch
    parameters    values beside a statement, as the text that Postgres reads
    copying       rows and results as the text of COPY
    link          the seam: what a kind of connection must do
    local         … with an engine in this process
    remote        … with a server, through psycopg's libpq
                  (remote_conversation, remote_feed, remote_errors, texts, array_texts belong to it)

Left out: arrays of more than one dimension from a server.
"""

from constellationdb.embedded.database import Database, connect
from constellationdb.embedded.functions import aggregate, function
from constellationdb.embedded.relation import Relation
from constellationdb.embedded.subscription import Changes, Subscription

__all__ = ["Changes", "Database", "Relation", "Subscription", "aggregate", "connect", "function"]
