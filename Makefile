# Each target makes what it needs; `make help` lists them. ARGS goes to the program that a target runs; JOBS=2 shares
# the tests out to two processes.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
# Real purchases that the tests read out of a package; they need neither its code nor the numpy and scipy it would bring.
DATA := lifetimes==0.11.3
RUN ?= .benchmarks/run.json
CHROMIUM ?= chromium
RUNTIME := $(VENV)/.runtime
WEB := $(VENV)/.web
DEV := $(VENV)/.dev

.DEFAULT_GOAL := help
.PHONY: help setup demo web test test-fast test-web browser bench bench-quick bench-docs torture fuzz docs lint servers servers-stop

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(DEV) ## create the virtual environment with everything for development

demo: $(RUNTIME) ## tell the story of a CRM on sample data (ARGS="--mysql URL --mongodb URL" for real servers)
	@$(BIN)/platform-store demo $(ARGS)

web: $(WEB) ## serve a CRM with sample data at http://127.0.0.1:8000 (ARGS="--mysql URL --mongodb URL --sample --data DIR")
	@$(BIN)/python -m examples.crm_web $(ARGS)

test: $(DEV) ## run all tests; real servers are brought up where none are given
	$(BIN)/python -m pytest $(if $(JOBS),--numprocesses $(JOBS) --dist loadscope) $(ARGS)

test-fast: $(DEV) ## run the tests that need no server
	PLATFORM_STORE_NO_SERVERS=1 $(BIN)/python -m pytest -m "not real" tests/unit tests/contract $(ARGS)

test-web: $(DEV) browser ## run the tests of the web application in Chromium (SHOTS=dir keeps a picture of every page)
	CHROMIUM=$(CHROMIUM) $(if $(SHOTS),SHOTS=$(abspath $(SHOTS))) $(BIN)/python -m pytest tests/browser $(ARGS)

bench: $(DEV) ## run the benchmarks on real servers; again, it goes on where it stopped (RUN=file, ARGS="--only read")
	@$(BIN)/python -m benchmarks --json $(RUN) $(ARGS)

bench-quick: $(DEV) ## the benchmarks in little, in under three minutes: to see that they work
	@$(BIN)/python -m benchmarks --quick --fresh --json $(dir $(RUN))quick.json $(ARGS)

bench-docs: $(DEV) ## write docs/benchmarks.md, its pictures and the READMEs' figures from a run (RUN=file)
	@$(BIN)/python -m benchmarks report $(RUN) --docs docs --readme README.md --readme README.zh-CN.md

torture: $(DEV) ## kill clients and servers under load for MINUTES (default 10), then check every row
	@$(BIN)/python -m tests.torture --minutes $(or $(MINUTES),10) $(addprefix --seed ,$(SEED)) $(ARGS)

fuzz: $(DEV) ## compare random queries with plain MySQL for MINUTES (default 10); every mismatch is made small
	@$(BIN)/python -m tests.fuzz --minutes $(or $(MINUTES),10) $(addprefix --seed ,$(SEED)) $(ARGS)

docs: $(DEV) ## write docs/reference/ anew from docstrings, the command line, the settings and the log's messages
	@$(BIN)/python -m tools.reference

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

# Chinese text takes a font that Chromium does not bring.
browser:
	@if ! { command -v $(CHROMIUM) && fc-list :lang=zh | grep -q .; } > /dev/null 2>&1; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
			apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fontconfig fonts-noto-cjk; \
		else \
			echo "A browser is needed: as root, apt-get install chromium fontconfig fonts-noto-cjk (CHROMIUM names another one)" >&2; \
			exit 1; \
		fi; \
	fi

# Installing all at once would keep `make demo` waiting for tools it does not use, and so would compiling every module.
$(RUNTIME): pyproject.toml | $(BIN)/python
	@echo "installing the library into $(VENV): a minute at most, once"
	@$(PIP) install --no-compile --editable .
	@touch $@

$(WEB): pyproject.toml | $(BIN)/python
	@echo "installing the library and the web application into $(VENV): a minute at most, once"
	@$(PIP) install --no-compile --editable '.[web]'
	@touch $(RUNTIME) $@

$(DEV): pyproject.toml | $(BIN)/python
	@echo "installing the library and the development tools into $(VENV)"
	@$(PIP) install --editable '.[dev]'
	@$(PIP) install --no-deps $(DATA)
	@touch $(RUNTIME) $(WEB) $@
