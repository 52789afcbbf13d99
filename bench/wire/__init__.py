"""``python -m bench wire``: what the Postgres port costs.

The server runs in a process of its own, and what counts is that process' CPU time.
"""
