# make demo: the four families on the embedded digits, on one page. make test: everything that must hold.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
WORKERS ?= 2

.PHONY: help install demo test check clean
.DEFAULT_GOAL := help

help: ## Say what there is to make.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Install the package and its tools into .venv.

$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

demo: $(INSTALLED) ## Train the four families on the digits and write one page; under two minutes on two cores.
	$(BIN)/pushforward compare digits --budget 12s --out runs/digits --force

test: $(INSTALLED) ## Run the tests and the examples in the documentation of the code.
	$(BIN)/python -m pytest -n $(WORKERS) --doctest-modules src tests

check: $(INSTALLED) ## Lint, formatting, strict types and the examples in the documentation of the code.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q --doctest-modules src

clean: ## Remove what the above made, but not .venv.
	rm -rf runs build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
