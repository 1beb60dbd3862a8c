# make demo     a phone-like clip, made, normalized and explained
# make demo-submit   the same clip, submitted to a simulated provider on this machine
# make test     the tests
# make check    format, lint, types, import contracts, then the tests
# make bench    ours against ffmpeg, as a table
# make differential     both engines over the corpus, as a summary
# make clean    everything that make made
#
# .venv is made when it is needed and made up to date when pyproject.toml changed.
# Another interpreter (3.11 or newer): make PYTHON=python3.12 test

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --no-input

.PHONY: demo demo-submit test check bench differential clean

demo: .venv/.dev
	@$(BIN)/python -m fixtures.demo

demo-submit: .venv/.dev
	@$(BIN)/python -m fixtures.demo_submit

test: .venv/.dev
	@$(BIN)/python -m pytest -n auto --dist loadgroup $(ARGS)

check: .venv/.dev
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-cache --no-logo
	@$(MAKE) --no-print-directory test

bench: .venv/.bench
	@$(BIN)/python -m benchmarks $(ARGS)

differential: .venv/.dev
	@$(BIN)/python -m tests.differential.comparing $(ARGS)

clean:
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "clipready needs Python 3.11 or newer; name one: make PYTHON=python3.12")'
	@$(PYTHON) -m venv .venv

.venv/.dev: pyproject.toml | .venv/bin/python
	@echo "setting up .venv" >&2
	@$(PIP) install -e '.[dev]'
	@touch $@

.venv/.bench: pyproject.toml | .venv/.dev
	@$(PIP) install -e '.[bench]'
	@touch $@
