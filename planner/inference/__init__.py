"""Types of parameters: what each $n of a statement is, inferred from where it stands, by Postgres' own rules.

    tree ──walk──▶ every expression's type; a $n takes the type of the first context that has one

The walk follows Postgres' parse analysis clause by clause and in its order, for the first use of
a parameter decides. It changes nothing, and knows the operators and functions of Postgres as
``pg_operator`` and ``pg_proc`` list them, for the types there are here; what it does not know has the
type None, which decides nothing. Errors that have nothing to do with parameters are left to the planner.

    signatures.py    what they are, and how they are listed
    operators.py, functions.py   Postgres' own
    resolve.py, polymorphic.py   which of several signatures fits
    together.py      the common type of several values
    parameters.py    the parameters found so far
    scope.py         the columns in sight
    expressions.py, calls.py, queries.py   the walk
    statements.py    ``infer_parameters``
"""

from constellationdb.planner.inference.statements import infer_parameters as infer_parameters
