# Every target does its own set-up: all it needs is python3 (3.11 or newer, with venv and pip).
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: help demo test faults fuzz mutation check static format lint types imports lock lock-check bench schema build deploy-check browser-tests clean
help: ## say what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: $(STAMP) ## the service against a simulated DStack
	@$(BIN)/dstack-backend demo

test: $(STAMP) ## all tests
	@$(BIN)/python -m pytest --cov --cov-report=term

faults: $(STAMP) ## the whole fault suite, about 8 minutes
	@$(BIN)/python -m pytest tests/faults

fuzz: $(STAMP) ## Hypothesis with many examples, about 2 minutes; FACTOR=20 for longer
	@FUZZ_FACTOR=$(or $(FACTOR),1) $(BIN)/python -m pytest --timeout=0 tests/fuzz

mutation: $(STAMP) ## changes the domain in hundreds of ways: do the unit tests see it? 20 minutes
	@$(BIN)/python -m tools.mutation $(FILES)

deploy-check: $(STAMP) ## what deploy/ holds; needs Debian's prometheus, prometheus-alertmanager, systemd
	@$(BIN)/python -m pytest tests/deploy

browser-tests: $(STAMP) ## the page in a real browser, 2 minutes; needs Debian's chromium
	@$(BIN)/python -m pytest tests/browser

check: static deploy-check browser-tests test ## everything that CI runs
static: lint types imports lock-check build ## everything that runs nothing of ours

format: $(STAMP) ## put the code in form
	@$(BIN)/ruff check --fix-only --quiet . && $(BIN)/ruff format .

lint: $(STAMP)
	@$(BIN)/ruff format --check . && $(BIN)/ruff check .

types: $(STAMP)
	@$(BIN)/mypy && $(BIN)/pyright

imports: $(STAMP)
	@$(BIN)/lint-imports

lock: $(STAMP) ## bring the lock files up to date with pyproject.toml
	@$(BIN)/python -m tools.lock

lock-check: $(STAMP)
	@$(BIN)/python -m tools.lock --check

bench: $(STAMP) ## benchmarks, into docs/benchmarks.md; needs wrk and nginx
	@$(BIN)/python -m bench

schema: $(STAMP) ## write the JSON Schema of BackendInfo anew
	@$(BIN)/python -m tools.schema

build: $(STAMP) ## wheel and sdist, into dist/
	@rm -rf dist && $(BIN)/python -m build --no-isolation --outdir dist . >/dev/null && ls dist

clean: ## remove all that make made
	@rm -rf .venv dist .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# --no-deps: the lock is complete, and pip would look at what was released after it all the same.
$(STAMP): pyproject.toml requirements/dev.txt
	@$(PYTHON) -m tools.python_version
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv (about a minute, the first time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m pip check --quiet --disable-pip-version-check
	@touch $@
