"""Substrait relations to incremental nodes, one kind of relation a file.

``Lowering.lower(rel)`` walks the checked plan bottom-up. Filters and
projections collect in a ``Stream``; aggregates, joins, windows, sorts and set
operations become nodes with their state. What has a fast operator gets it;
the rest becomes ``Recompute``, which is right for any per-key function.
"""
