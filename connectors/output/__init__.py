"""Rows as text: what files hold and what COPY sends, a whole column at a time.

csv      as Postgres' COPY writes it: NULL is nothing, an empty text is ""
json     an object a line, as Postgres' to_json() prints values
"""
