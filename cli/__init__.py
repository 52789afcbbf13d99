"""The command ``constellation``: everything that a person types, and the two demos.

    main       the list of commands; each loads its module only when it is called
    commands   one command a file: what it takes, and nothing else
    running    an engine with its Postgres port, from start to the last goodbye
    display    rows as psql prints them
    shell      ``constellation sql``: the prompt, and scripts
    catalog_queries  what the shell asks a database about itself
    slt        the sqllogictest runner
    market     ``constellation demo``: generated trades, checked by an oracle
    flights    ``constellation demo flights``: a year of real flights, checked by DuckDB

Promises: data goes to standard output and remarks to standard error, so pipes
see rows only; an error is one line with its hint, never a traceback, and the
exit code is 1; Ctrl-C and SIGTERM end a server only after clients were told.
"""
