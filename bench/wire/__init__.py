"""``python -m bench wire``: rows through the Postgres port, and what they cost the server.

The server is a process of its own, and its CPU time is what counts: a rate here
is rows in one CPU second of the server, whatever the client's speed. Its client
is a raw socket that takes every message apart, so a row that was cut short, sent
twice or left out makes the answer wrong.

    select       SELECT of a table, results in text and in binary
    copy_out     COPY … TO STDOUT, text and binary
    copy_in      COPY … FROM STDIN: text, CSV and binary, with and without a primary key
    statements   prepared point SELECTs one by one, prepared one-row INSERTs in a pipeline
    subscribers  a thousand of them

One file a measurement: its ``CASES`` are names and what they do with a server.
"""
