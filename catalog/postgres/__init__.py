"""What Postgres 15 says of itself: its catalogs' columns, types, operators, casts, and the functions that are here.

The ``.csv`` files hold rows of a fresh Postgres 15, written by ``python -m tests.catalog_data`` and read when
something asks; ``\\N`` is NULL. Postgres' licence is in NOTICE.
"""
