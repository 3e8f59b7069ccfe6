# `make` alone prints this help. CONFIG=, AS_OF= and ARGS= are passed on to clv.
PYTHON  ?= python3
CONFIG  ?= configs/cdnow.toml
AS_OF   ?=
ARGS    ?=
PYTHONS ?= python3.11 python3.12 python3.13
VENV    := .venv
QUICK   := not engines and not browser and not slow and not nightly
BIN     := $(VENV)/bin
CLV     := $(BIN)/clv
OPTIONS := --config $(CONFIG) $(if $(AS_OF),--as-of $(AS_OF)) $(ARGS)

.DEFAULT_GOAL := help
.PHONY: help install train backtest forecast audiences refresh report check ltv test coverage test-slow test-deep test-engines test-browser test-pythons test-blas test-kills test-load nightly lint house format bench clean

help: ## show this help
	@echo "usage: make TARGET [CONFIG=configs/cdnow.toml] [AS_OF=YYYY-MM-DD] [ARGS=...]"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# An environment is rebuilt only when what it is made from has changed.
$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "clvmodels needs Python 3.11 or newer; found: $$($(PYTHON) --version 2>&1). Name another with PYTHON=python3.12" >&2; exit 2; }
	@echo "creating $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.python pyproject.toml constraints.txt
	@echo "installing what clvmodels needs (once, a minute or two)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	@echo "installing the test and lint tools (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(VENV)/.engines: $(VENV)/.dev
	@echo "installing the PostgreSQL and Spark clients (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,postgres,spark,engines]'
	@touch $@

install: $(VENV)/.run ## create .venv with everything the commands need

train: $(VENV)/.run ## fit, backtest, save the models and the report
	@$(CLV) train $(OPTIONS)

backtest: $(VENV)/.run ## forecast from past origins and compare with what happened
	@$(CLV) backtest $(OPTIONS)

forecast: $(VENV)/.run ## score every customer with the model in use
	@$(CLV) forecast $(OPTIONS)

audiences: $(VENV)/.run ## write whom to talk to, from the forecast that was delivered
	@$(CLV) audiences $(OPTIONS)

refresh: $(VENV)/.run ## the monthly run: check, score, compare with the last forecast, report
	@$(CLV) refresh $(OPTIONS)

report: $(VENV)/.run ## write the report again from the saved results
	@$(CLV) report $(OPTIONS)

check: $(VENV)/.run ## read the source and account for every row
	@$(CLV) check $(OPTIONS)

ltv: $(VENV)/.run ## what a customer is worth by the formulas of planners, step by step
	@$(CLV) ltv $(OPTIONS)

test: $(VENV)/.dev ## tests that need nothing but this environment
	@$(BIN)/python -m pytest -n auto -m "$(QUICK)" $(ARGS)

# Counting lines takes as long as the tests do on Python 3.11.
coverage: override ARGS += --cov --cov-report=term:skip-covered
coverage: test ## the same tests, and which lines they leave out

lint: $(VENV)/.dev ## ruff, mypy, import-linter
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

house: $(VENV)/.dev ## print every package, what its modules are, and what is out of order
	@$(BIN)/python tests/support/house.py

format: $(VENV)/.dev ## let ruff mend what it can
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

test-deep: $(VENV)/.dev ## the quick tests, drawing three times as many and new examples
	@HYPOTHESIS_PROFILE=explore $(BIN)/python -m pytest -n auto -m "$(QUICK)" $(ARGS)

test-engines: $(VENV)/.engines ## the same answers on DuckDB, PostgreSQL and Spark
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m engines $(ARGS)

test-slow: $(VENV)/.dev ## the minutes-long ones: coverage of intervals, full command runs
	@$(BIN)/python -m pytest -n auto -m "slow and not engines" $(ARGS)

test-browser: $(VENV)/.dev ## open the report in headless Chromium
	@$(BIN)/python -m pytest -m browser $(ARGS)

# Each Python in an environment of its own; a model that is trained and tested there counts.
test-pythons: ## make train and make test under each of PYTHONS=
	@for python in $(PYTHONS); do \
	  echo "== $$python" && \
	  $(MAKE) --no-print-directory train test PYTHON=$$python VENV=.venv-$${python##*/} ARGS= || exit 1; \
	done

test-blas: $(VENV)/.dev ## the quick tests with other BLAS kernels, threads and instructions
	@$(BIN)/python tests/support/variants.py -m "$(QUICK)" $(ARGS)

test-kills: $(VENV)/.dev ## trainings that are killed at twelve moments
	@$(BIN)/python -m pytest -m nightly tests/nightly/test_kills.py $(ARGS)

test-load: $(VENV)/.dev ## a million customers: all are scored, and memory stays bounded
	@$(BIN)/python -m pytest -m nightly tests/nightly/test_load.py $(ARGS)

nightly: ## what takes hours: all of the above that .ci/run leaves out
	@.ci/nightly

bench: $(VENV)/.dev ## time this project against lifetimes in one run
	@$(BIN)/python -m benchmarks $(ARGS)

clean: ## remove the environment and every cache (models and reports stay)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage* htmlcov
