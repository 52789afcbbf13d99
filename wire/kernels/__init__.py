"""The inner loops of output: values as text, and cells as messages.

What it is: one loop a type that prints a whole column, and the loops that lay
columns side by side as DataRow or CopyData messages.

What it promises: Postgres' bytes for every value of the type, the ends of its
range included; no kernel looks at the validity of a row (a NULL's bytes are
printed like any and then not used), allocates, or compiles after start-up.

How it works. A kernel that prints gets ``out``, which has room of the same
size for every row, and notes for each row where its text ``starts`` and how
long it is. ``framing`` then copies every cell to its place.
"""
