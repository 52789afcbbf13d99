"""Barriers: where a receiver of several inputs cuts them all at the same point.

    input a   rows rows ┃5 rows ·············      blocked: what follows its barrier is buffered
    input b   rows rows rows rows ┃5 rows ···      flows on until its barrier comes: then the cut is whole

``barrier`` is the marker, ``items`` what an input brings and what a receiver is told to do, ``aligner`` the receiver's
half without I/O, ``limits`` and ``metrics`` its bounds and its counts. Who sends, waits and stores is somewhere else.
"""
