# The few commands a person needs; `make` alone lists them.
PEOPLE ?= 18000
SEED ?= 7
ARGS ?=
CONSULAR = .venv/bin/consular
RUN_PROCESSES = web hooks worker-twilio worker-http worker-smpp worker-exercise worker-inbound worker-receipts worker-social clock

.DEFAULT_GOAL := help
.PHONY: help install dev test drill demo up bench load lint types check lock clean mutants faults simulation

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

install: ## make .venv from the hash-pinned lock
	@sh scripts/install.sh requirements.lock

dev: ## the same with the tools for tests and checks
	@sh scripts/install.sh requirements-dev.lock
	@sh scripts/counterparts.sh

test: dev ## run all tests (ARGS="-k name")
	@.venv/bin/python -m pytest $(ARGS)

drill: install ## replay Libya 2011 on this machine and print the report (PEOPLE=18000 SEED=7 ARGS="--json report.json")
	@$(CONSULAR) drill libya-2011 --people $(PEOPLE) --seed $(SEED) $(ARGS)

demo: install ## the same, then leave the site up until Ctrl-C
	@$(CONSULAR) demo --people $(PEOPLE) --seed $(SEED) $(ARGS)

up: install ## run for real with the settings of .env, or of the environment where DATABASE_URL is set
	@sh scripts/up.sh $(RUN_PROCESSES)

simulation: dev ## replay 20,000 seeded runs of sending, settling and hearing (ARGS="--seed 7 --trace")
	@.venv/bin/python -m tests.simulation $(or $(ARGS),--seeds 20000)

mutants: dev ## plant deliberate bugs one at a time: the tests must catch each (ARGS="NAME" for one)
	@.venv/bin/python -m tests.mutants $(ARGS)

faults: dev ## kill, freeze, cut and fill everything while texts leave; print the table (ARGS="--ci", "--only F1,F7")
	@.venv/bin/python -m tests.faults $(ARGS)

bench: dev ## run the benchmarks
	@.venv/bin/python bench/run.py $(ARGS)

load: dev ## run the load scenarios and print their table (ARGS="--small" for a few minutes, "--only L4,L9")
	@.venv/bin/python -m bench.load $(ARGS)

lint: dev ## ruff: rules and format; import contracts
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/lint-imports

types: dev ## mypy, strict
	@.venv/bin/mypy

check: lint types test ## everything that must pass before a commit

lock: ## write both lock files anew from pyproject.toml (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv" >&2; exit 1; }
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml -o requirements.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -c requirements.lock --extra dev pyproject.toml -o requirements-dev.lock

clean: ## remove .venv and everything made by commands above
	rm -rf .venv var build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache report.json
	find consular workers tests -name '__pycache__' -type d -prune -exec rm -rf {} +
	find consular -name '*.mo' -type f -delete
