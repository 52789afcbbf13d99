"""COPY … FROM STDIN: bytes in pieces cut anywhere become columns of the table.

    bytes ──scanner──▶ Fields: where each value of each complete row lies ──columns──▶ Arrow arrays

A scanner (text, CSV or binary) collects about a megabyte and lets a kernel cut it. A row that cannot
be cut raises only after the rows before it were handed on, so the first wrong row of the data is the
one that is named, as in Postgres: ``COPY t, line 3, column b: "x"``.

    fields.py    the table of fields, and their bytes as Arrow arrays
    scanner.py   what the scanners share
    lines.py     text and CSV
    tuples.py    binary
    header.py    the first line, where HEADER says there is one
    texts.py, binaries.py   a column of fields as the column's type
    columns.py   the fields of some rows as a batch; the row and column of an error
"""
