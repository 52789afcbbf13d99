"""``python -m bench wire``: what the Postgres port costs."""
