# Each target sets up what it needs: a virtual environment in .venv with the packages of pyproject.toml.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do command -v $$p >/dev/null 2>&1 && \
  $$p -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v $$p; break; }; done)
BIN := .venv/bin
ARGS ?=

.PHONY: demo test faults check audit bench clean docs

demo: .venv/.run
	@$(BIN)/psa-bridge demo $(ARGS)

test: .venv/.dev
	@$(BIN)/pytest -n 3 $(ARGS)

# The fault suite, longer than in CI: TIMES seeds, kills and crashes.
TIMES ?= 10
faults: .venv/.dev
	@BRIDGE_FAULTS=$(TIMES) $(BIN)/pytest tests/faults $(ARGS)

check: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	@$(BIN)/python -m pip check

# Known vulnerabilities of what is installed. Not part of `check`: it asks pypi.org, and an answer may change overnight.
audit: .venv/.dev .venv/audit/bin/pip-audit
	@$(BIN)/python -m pip freeze --exclude-editable > .venv/audit/requirements.txt
	@.venv/audit/bin/pip-audit --strict --no-deps --disable-pip --requirement .venv/audit/requirements.txt

.venv/audit/bin/pip-audit: .venv/bin/python
	@$(BIN)/python -m venv .venv/audit
	@.venv/audit/bin/python -m pip install --quiet --disable-pip-version-check "pip-audit>=2.9,<3"

bench: .venv/.dev
	@$(BIN)/python -m benchmarks $(ARGS)

docs: .venv/.dev
	@$(BIN)/python -m bridge.docs

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer with its venv module is needed (Debian: apt install python3-venv)."; exit 1; }
	@echo "Setting up .venv with $(PYTHON) …"
	@$(PYTHON) -m venv .venv

.venv/.run: .venv/bin/python pyproject.toml
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/.dev: .venv/bin/python pyproject.toml
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $@ .venv/.run

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis htmlcov .coverage
