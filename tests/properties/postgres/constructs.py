"""What random databases must have met, beside what ``oracle.constructs`` lists.

A statement counts when it changed rows, a query as there; a probe when it told of rows after some were taken back.
"""

from __future__ import annotations

STATEMENTS = (
    "INSERT", "INSERT SELECT", "ON CONFLICT DO NOTHING", "ON CONFLICT DO UPDATE", "UPDATE", "UPDATE FROM", "DELETE",
    "DELETE USING", "MERGE", "TRUNCATE", "transaction commit", "transaction rollback",
)  # fmt: skip

ERRORS = ("23505", "23514", "23502", "25P02")  # a key twice, CHECK, NOT NULL, in a failed transaction

PROBED = (
    "subscription", "EMIT CHANGES", "changelog", "AS OF EPOCH", "read-only transaction", "CREATE INDEX",
    "dependant view",
)  # fmt: skip

FEATURES = (*PROBED, "OR REPLACE", "ADD COLUMN", "time zone of the session", "made late")

QUERIES = (
    "temporal filter", "lookup table", "FOR SYSTEM_TIME AS OF", "texts", "times", "zones", "numbers", "jsonb", "arrays",
    "cases", "aggregates of Postgres", "arrays unnested", "texts split", "objects unnested", "OVER groups",
)  # fmt: skip

CONSTRUCTS = (*QUERIES, *FEATURES)
