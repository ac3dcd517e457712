# Each target makes what it needs; `make help` lists them. ARGS goes to the program that a target runs; JOBS=2 shares
# the tests out to two processes.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
# Real purchases that the tests read out of a package; they need neither its code nor the numpy and scipy it would bring.
DATA := lifetimes==0.11.3
RUNTIME := $(VENV)/.runtime
DEV := $(VENV)/.dev

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast bench torture fuzz lint servers servers-stop

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(DEV) ## create the virtual environment with everything for development

demo: $(RUNTIME) ## tell the story of a CRM on sample data (ARGS="--mysql URL --mongodb URL" for real servers)
	@$(BIN)/platform-store demo $(ARGS)

test: $(DEV) ## run all tests; real servers are brought up where none are given
	$(BIN)/python -m pytest $(if $(JOBS),--numprocesses $(JOBS) --dist loadscope) $(ARGS)

test-fast: $(DEV) ## run the tests that need no server
	PLATFORM_STORE_NO_SERVERS=1 $(BIN)/python -m pytest -m "not real" tests/unit tests/contract $(ARGS)

bench: $(DEV) ## run the benchmarks on real servers (ARGS="...")
	@$(BIN)/python -m benchmarks $(ARGS)

torture: $(DEV) ## kill clients and servers under load for MINUTES (default 10), then check every row
	@$(BIN)/python -m tests.torture --minutes $(or $(MINUTES),10) $(addprefix --seed ,$(SEED)) $(ARGS)

fuzz: $(DEV) ## compare random queries with plain MySQL for MINUTES (default 10); every mismatch is made small
	@$(BIN)/python -m tests.fuzz --minutes $(or $(MINUTES),10) $(addprefix --seed ,$(SEED)) $(ARGS)

lint: $(DEV) ## check style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

servers: $(DEV) ## bring up private MySQL, MariaDB and MongoDB; writes .servers/env
	@$(BIN)/python -m tests.servers start

servers-stop: $(DEV) ## end the private servers; their data stays in .servers/
	@$(BIN)/python -m tests.servers stop

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed; \"$(PYTHON)\" is not. Try: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ echo "The venv module does not work; on Debian and Ubuntu install the package python3-venv." >&2; \
		  rm -rf $(VENV); exit 1; }

# Installing both at once would keep `make demo` waiting for tools it does not use.
$(RUNTIME): pyproject.toml | $(BIN)/python
	@echo "installing the library into $(VENV)"
	@$(PIP) install --editable .
	@touch $@

$(DEV): pyproject.toml | $(BIN)/python
	@echo "installing the library and the development tools into $(VENV)"
	@$(PIP) install --editable '.[dev]'
	@$(PIP) install --no-deps $(DATA)
	@touch $(RUNTIME) $@
