"""Random databases beside a real Postgres: the same statements to both, compared after every one of them.

    schema + statements + query ──▶ a database in a directory (checkpointed, closed and opened again) ──┐ equal?
                                └─▶ Postgres ─────────────────────────────────────────────────────────┘

What ``tests.properties.oracle`` leaves out: DML of all kinds, transactions, errors of statements, views made before and
after their rows, definitions that change midway, and the dialect itself, for both read the very same text. What is ours
alone is said in Postgres' words (``server``): versions as a LATERAL, ``now()`` as the clock of a table.

- ``tables``: the oracle's random tables with a primary key or none, and their values as literals. ``lookups``: one
  table that is only looked up.
- ``statements``: random INSERT, upsert, UPDATE, DELETE, MERGE, TRUNCATE, alone and in transactions.
- ``shapes``, ``words``: queries that only Postgres judges.
- ``probes``: other ways to a view's rows: subscriptions, changelogs, the past, read-only transactions, indexes.
- ``server``: the Postgres that judges.
- ``constructs``: what must have been met. ``case``: one case. ``hunt``: many of them, counted, and failures made small.
"""
