"""``constellation demo flights``: the 336,776 flights that left New York in 2013, replayed and checked.

    data      the package's CSV files; the flights sorted by event time, once, into Parquet
    views     all SQL of the demo: source, lookup tables, seven materialized views
    expected  the same answers from DuckDB, in other words, over the same files
    compare   two answers as multisets; which rows differ
    replay    says the SQL through the Postgres port and watches until everything is in
    demo      all of it in order, with a progress bar and a table of verdicts

The event time of a flight is its scheduled departure: ``time_hour``, which is
an hour in UTC, plus ``minute``. Rows are replayed in that order, ties in the
order of the package's file, which ``id`` counts from 1. ``NA`` is NULL. Left
lookups: 52,606 flights have no plane and 7,602 go to one of four destinations
that have no airport; 8,255 never departed and have no delay.
"""
