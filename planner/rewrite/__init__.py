"""Postgres' parse tree made ready for DataFusion, by small rewrites of the tree.

Every relation gets an internal name (so that DataFusion sees no name of the
user's it could misread), window calls and views become virtual tables, and
what DataFusion would answer wrongly is said in a way it answers right:
``IN``, ``ANY`` and ``ALL`` of subqueries, ``EXCEPT ALL`` and ``INTERSECT ALL``. What cannot be is refused here.
"""
