"""Constellation: a SQL-first streaming database with a Postgres wire frontend.

``connect()`` embeds one in this process. Importing the package is cheap: the
engine and its libraries load when the first connection is made.
"""

__version__ = "0.1.0"
