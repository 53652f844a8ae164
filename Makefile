# `make up` is all a newcomer needs; `make test` passes the tests. Both make the environment and install what is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed
# How many short rows of the fault suite run at a time; 0: one after the other, in one process.

.PHONY: up test test-faults test-faults-short check screenshots clean

up: $(RUN)
	@$(BIN)/telecare up --demo

# --upgrade-deps is not used: the pip that came with Python serves, and works where there is no network but a mirror.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Telecare needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	@echo "making the environment in $(VENV) (once, about a minute) ..."
	@$(PYTHON) -m venv $(VENV)

$(RUN): pyproject.toml | $(VENV)/bin/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@$(BIN)/telecare static || echo "pages will come plainly styled until the static files can be fetched"
	@touch $@

$(DEV): pyproject.toml $(RUN)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

# Chromium and Mosquitto come from the system's packages, where we may install them; tests that need what is not there
# are skipped by name.
test: $(DEV)
	@sh tests/install_system_parts.sh
	@$(MAKE) --no-print-directory check
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m 'not faults' tests
	@$(MAKE) --no-print-directory test-faults-short

# The short rows of the fault suite, alone on the machine; the end of `make test`.
test-faults-short: $(DEV)
	@sh tests/install_system_parts.sh
	@$(BIN)/python -m pytest -n 0 -m 'faults and ci' tests/faults

# Every fault at its full length (docs/faults.md), about 75 minutes. FAULT_SEED=... plays a run again; ROWS='t3 or t4' plays some.
test-faults: $(DEV)
	@sh tests/install_system_parts.sh
	@FAULT_FULL=1 $(BIN)/python -m pytest -n 0 -m faults -k '$(or $(ROWS),faults)' tests/faults

check: $(DEV)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

screenshots: $(DEV)
	@$(BIN)/python -m tests.system.screenshots

clean:
	rm -rf $(VENV) build *.egg-info dashboard/static/vendor
