"""Random databases beside a real Postgres: the same statements to both, compared after every one of them.

    schema + statements + query ──▶ a database in a directory (checkpointed, closed and opened again) ──┐ equal?
                                └─▶ Postgres ─────────────────────────────────────────────────────────┘

What ``tests.properties.oracle`` leaves out: DML of all kinds, transactions, errors of statements, views made before and
after their rows, subscriptions, and the dialect itself, for both read the very same text.

- ``tables``: the oracle's random tables with a primary key or none, and their values as literals.
- ``statements``: random INSERT, upsert, UPDATE, DELETE, TRUNCATE, alone and in transactions.
- ``server``: the Postgres that judges.
- ``case``: one case. ``hunt``: many of them, counted, and failures made small.
"""
