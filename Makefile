.PHONY: demo test clients slt oracle differential tpch consistency kills torture faults simulate planted fuzz check bench docs lint

demo:
	constellation demo flights

test:
	python -m pytest

# node-postgres, pgjdbc and DuckDB's Postgres scanner, into a cache; without them their tests are skipped.
clients:
	.ci/clients

# Every SQL script on our engine, in this process, over the wire and through JDBC, and on Postgres.
slt:
	CONSTELLATION_SLT=all python -m pytest tests/sqllogic

# The oracle at length: three seeds a query form, then random queries for ORACLE_SECONDS from seed ORACLE_SEED on.
ORACLE_SECONDS ?= 600
ORACLE_SEED ?= 1000
oracle:
	CONSTELLATION_ORACLE_RUNS=$${CONSTELLATION_ORACLE_RUNS:-3} python -m pytest tests/properties --timeout=0
	python -m tests.properties.oracle.hunt --seconds $(ORACLE_SECONDS) --seed $(ORACLE_SEED)

# 10,000 random queries against DuckDB and random databases against Postgres, or as many as an hour gives.
SEED ?= 1000
differential:
	python -m tests.properties.oracle.hunt --cases 8000 --seconds 2400 --seed $(SEED) --complete
	python -m tests.properties.postgres.hunt --cases 2000 --seconds 1200 --seed $(SEED) --complete

# The 22 queries of TPC-H as views, at ten times the default run's scale.
tpch:
	CONSTELLATION_TPCH_SCALE=$${CONSTELLATION_TPCH_SCALE:-0.1} python -m pytest tests/properties/tpch --timeout=0

# Random transactions under the eyes of subscribers and readers, many more than the default run's.
consistency:
	CONSTELLATION_TRANSACTIONS=$${CONSTELLATION_TRANSACTIONS:-2000} python -m pytest tests/e2e/consistency --timeout=0

# kill -9 at random moments under writers, followers and checkpoints, more often than the default run's twelve.
kills:
	CONSTELLATION_KILLS=$${CONSTELLATION_KILLS:-100} python -m pytest tests/e2e/test_kills.py --timeout=0 -o faulthandler_timeout=0

# kill -9 at every kind of operation on the disk, at random moments, and while the server recovers.
torture:
	CONSTELLATION_TORTURE=$${CONSTELLATION_TORTURE:-500} python -m pytest tests/e2e/torture --timeout=0 -o faulthandler_timeout=0 -n0 -s

# Every kind of operation on the disk fails at its first, a middle and its last occurrence, in every way.
faults:
	CONSTELLATION_FAULTS=all python -m pytest tests/faults

# The engine on a disk that forgets: 100,000 seeds, or as many as an hour gives. SEED is the first.
SIMULATE_SEEDS ?= 100000
SIMULATE_SECONDS ?= 3600
simulate:
	python -m tests.simulation.run --seed $(SEED) --seeds $(SIMULATE_SEEDS) --seconds $(SIMULATE_SECONDS)

# Every bug that is planted into what makes state durable is found by the simulation within a thousand seeds, and every
# one for the comparison with Postgres by that.
planted:
	CONSTELLATION_POSTGRES_BUGS=all python -m pytest tests/properties/test_beside_postgres.py -k planted --timeout=0
	CONSTELLATION_SIMULATION_BUGS=all python -m pytest tests/simulation/test_planted_bugs.py --timeout=0

# A hostile client of the wire protocol: the parser, whole conversations in this process, and sockets.
FUZZ_SECONDS ?= 600
FUZZ_EXECUTIONS ?= 1000000
FUZZ_SEED ?= 1
fuzz:
	for mode in parser talk sockets; do python -m tests.fuzz.protocol --mode $$mode --light 0.9 \
		--seconds $(FUZZ_SECONDS) --executions $(FUZZ_EXECUTIONS) --seed $(FUZZ_SEED) || exit 1; done

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
