"""A sqllogictest runner: SQL on the left, the answer it must give on the right.

A script is a text file of records. In the dialect of sqllogictest-rs:

    statement ok                      query IT rowsort
    CREATE TABLE t (a int)            SELECT a, b FROM t
                                      ----
    statement error (42P01)           1 one
    SELECT * FROM nowhere             2 (empty)

``parser`` turns text into ``records``, ``runner`` says each record's SQL over
a ``Connection`` and ``answers`` judges what came back. It never reaches for a
server itself: whoever starts it hands over a function that opens connections,
so the same script runs over the wire and inside the process.

It promises that every record is either run and counted or skipped by a
condition: a failure does not end a file, only a lost connection does. Values
compare as Postgres prints them, after runs of blanks are made one.

Three things go beyond the dialect: a SQLSTATE in brackets may stand together
with an exact message, two queries with the same label must agree, and
conditions apply to ``halt``, ``sleep`` and the rest as they do to SQL. Left
out are ``let``, ``loop`` and rewriting files with what the engine answered: an
expectation that the engine wrote proves nothing.
"""
