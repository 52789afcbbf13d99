"""``constellation sql``: statements and backslash words, typed, from a file or from a pipe.

    script       lines in, statements and backslash words out; knows when a statement is whole
    variables    :name, :'name' and :"name" replaced by what \\set said
    interpreter  runs them against a database, prints what they answer, keeps the session's state
    running      a statement on a thread of its own, so that Ctrl-C cancels it and not the shell
    printing     one answer to the output: at once where it can be, aligned where it must be
    formats      rows as lines: aligned, expanded, unaligned, CSV, JSON
    errors       an error with a caret under its place
    words        the backslash words, a file a topic; each is a function of the interpreter
    target       where the database is, and how to get there
    terminal     the prompt: history, several lines, colours, completion
    completion   what could come next at the cursor
    names        the names that completion knows, fetched in a session of its own
    live         a relation's contents on the screen, kept up to date by its changes

Promises: the same words work typed, in a file and in a pipe, and on every kind
of database. A statement ends at a semicolon where the planner's own splitter
says so. Ctrl-C cancels what runs and keeps the session; typing never waits for
the database.
"""
