.PHONY: demo test check bench docs lint

demo:
	constellation demo flights

test:
	python -m pytest

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
