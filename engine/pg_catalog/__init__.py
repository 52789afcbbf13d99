"""``pg_catalog`` and ``information_schema``: what is defined here, told as Postgres tells it.

    catalog version ──▶ Objects: everything that has an oid ──▶ readers: the rows of one relation ──▶ pa.Table
                                        └──▶ functions: format_type(), 'x'::regclass, …

A relation's rows are made when a query first mentions it, and kept until the catalog changes; those that tell of a
session (settings, roles) are made each time. Rows of Postgres itself (types, operators) ship in
``catalog.postgres``. Relations for which there is nothing to tell have their columns and no rows.
"""
