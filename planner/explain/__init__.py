"""EXPLAIN: what will run, in the names the user wrote.

    explain           the incremental plan of a continuous query, one block an operator
    explain_snapshot  what a snapshot query reads, as of which epoch, and DataFusion's plan over it

    words, literals   expressions as SQL          names     what each node's columns are called
    steps             a fragment's inner steps    facts     what is said of every operator
    closing           what frees state            sides     whose rows a join finds its inputs in

An operator's facts are read off its plan node, by the rules its operator follows in ``engine/operators``.
"""

from constellationdb.planner.explain.snapshot import Reading, explain_snapshot
from constellationdb.planner.explain.tree import Sink, aligned, explain

__all__ = ["Reading", "Sink", "aligned", "explain", "explain_snapshot"]
