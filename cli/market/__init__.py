"""``constellation demo``: generated trades, a lookup table of symbols, four views that follow them.

    setup    the SQL, said through the Postgres port unless a directory holds it already
    live     what a person sees: a table that keeps changing, or plain lines into a pipe
    checked  --check: runs to the source's limit, then every view against ``demo_oracle``
    demo     the two ways to run it

The oracle must know how the rows were cut into epochs, because lateness
depends on it; the check learns that from a subscription to the source itself.
"""
