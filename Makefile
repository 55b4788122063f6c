# Everything a newcomer or a CI run does, by name. POSIX sh; needs python3 >= 3.11 and nothing else: what the Python
# environment lacks is installed into .venv, and tools/debian-packages says what the tests want of the system.

SHELL = /bin/sh
PYTHON ?= python3
# Three keep the two cores of the smallest machine that we promise anything for busy, since tests of whole processes wait
# a lot; "make test WORKERS=0" runs in one.
WORKERS ?= 3

VENV = .venv
BIN = $(VENV)/bin
STAMP = $(VENV)/.setup-stamp
DEMO = out/demo
SCHEMAS = docs/reference/schemas

.PHONY: help setup demo test check check-style check-format check-types check-floors check-schemas check-spec \
	bench fix constraints clean

help:  ## Say what can be made (this)
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP)  ## Make .venv with everything the project needs

# The stamp is touched last, so an installation that was cut short is done again.
$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	  echo "make: $(PYTHON) is not on the PATH; install Python 3.11 or later, or name one: make setup PYTHON=..." >&2; \
	  exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "make: $$($(PYTHON) --version 2>&1) is too old; Sandiwara needs Python 3.11 or later." >&2; \
	  echo "      If there is a later one beside it, name it: make setup PYTHON=python3.12" >&2; \
	  exit 1; }
	@$(BIN)/python -c 'import pip' >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) || { \
	  echo "make: $(PYTHON) cannot make a virtual environment; on Debian, install the package python3-venv" >&2; \
	  exit 1; }
	@echo "setting up $(VENV) (about a minute, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]' || { \
	  echo "make: the packages could not be installed; what pip said stands above" >&2; \
	  exit 1; }
	@touch $(STAMP)

demo: $(STAMP)  ## Play the exercise "strait-lantern" over real MQTT; the report lands in out/demo
	$(BIN)/sandiwara run strait-lantern --out $(DEMO) --replace

test: $(STAMP)  ## Run every test
	tools/debian-packages
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --durations=10

# "-k" goes on after a failure: the gate says everything that is wrong, not only the first.
check: $(STAMP)  ## Run the gate: style, types, floors, generated pages, specification
	@$(MAKE) -k --no-print-directory check-style check-format check-types check-floors check-schemas check-spec

check-style: $(STAMP)
	$(BIN)/ruff check .

check-format: $(STAMP)
	$(BIN)/ruff format --check .

check-types: $(STAMP)
	$(BIN)/mypy

check-floors: $(STAMP)
	$(BIN)/lint-imports

check-schemas: $(STAMP)
	$(BIN)/python -m schemas.export --check $(SCHEMAS)

check-spec: $(STAMP)
	$(BIN)/python -m conformance.requirements --check

bench: $(STAMP)  ## Measure; each bench/*.py leaves its JSON lines in out/bench
	@mkdir -p out/bench
	@for question in bench/*.py; do \
	  [ -f "$$question" ] || { echo "make: bench/ holds no measurement" >&2; exit 1; }; \
	  name=$$(basename "$$question" .py); \
	  echo "$$question"; \
	  $(BIN)/python "$$question" >"out/bench/$$name.jsonl" || exit 1; \
	  cat "out/bench/$$name.jsonl"; \
	done

fix: $(STAMP)  ## Let ruff mend what it can, and write generated pages anew
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python -m schemas.export --write $(SCHEMAS)

# Pins are taken from a fresh environment, not from .venv, which may hold what somebody tried out by hand.
constraints:  ## Write constraints.txt anew from what the registry offers today
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && \
	$(PYTHON) -m venv "$$fresh" && \
	"$$fresh/bin/python" -m pip install --quiet --disable-pip-version-check -e '.[dev]' && \
	{ sed -n '/^#/p' constraints.txt && \
	  "$$fresh/bin/python" -m pip freeze --exclude-editable; } >"$$fresh/constraints.txt" && \
	cp "$$fresh/constraints.txt" constraints.txt

clean:  ## Remove what was made, all but .venv
	rm -rf out dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name .venv -prune -o -type d -name __pycache__ -exec rm -rf {} +
