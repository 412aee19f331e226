# Each target sets up what it needs: a virtual environment in .venv with the packages of pyproject.toml.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do command -v $$p >/dev/null 2>&1 && \
  $$p -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v $$p; break; }; done)
BIN := .venv/bin
PIP_AUDIT := .venv/audit/bin/pip-audit
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
	@$(BIN)/python -m tools.dependencies
	-@$(MAKE) --no-print-directory $(PIP_AUDIT)
	@$(BIN)/python -m tools.advisories

# The part of `check` that asks pypi.org for known vulnerabilities; here it also fails where nothing can be looked up.
audit: .venv/.dev $(PIP_AUDIT)
	@$(BIN)/python -m tools.advisories --strict

$(PIP_AUDIT): .venv/bin/python
	@$(BIN)/python -m venv .venv/audit
	@.venv/audit/bin/python -m pip install --quiet --disable-pip-version-check --retries 1 --timeout 15 "pip-audit>=2.9,<3"

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
