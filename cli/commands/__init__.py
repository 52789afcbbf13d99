"""One command a file, each with a ``command`` that ``main`` finds by the file's name.

A module here imports click and little else: ``constellation --help`` loads all
of them. What a command does is imported inside of it.
"""
