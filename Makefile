.PHONY: demo test oracle check bench docs lint

demo:
	constellation demo flights

test:
	python -m pytest

# The oracle at length: seeds per query form.
oracle:
	CONSTELLATION_ORACLE_RUNS=$${CONSTELLATION_ORACLE_RUNS:-20} python -m pytest tests/properties --timeout=0

lint:
	ruff check .
	ruff format --check .
	mypy
	lint-imports

check: lint test

bench:
	python -m bench all

docs:
	python -m pytest tests/unit/docs
