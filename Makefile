# Each target installs what it needs. Requirement: python3 3.11 or newer, with venv and pip.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
HTTPX2_TESTS := tests/contract/ports/dstack tests/contract/kit/test_simulated_dstack.py \
	tests/unit/adapters/httpx_dstack tests/unit/adapters/test_httpx_status.py \
	tests/unit/app/config/test_dstack_settings.py tests/unit/app/doctor/dstack tests/unit/app/status

.PHONY: help demo test faults fuzz mutation check static format lint types imports lock lock-check bench schema settings settings-check build deploy-check browser-tests httpx2 clean
help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

demo: $(STAMP) ## run the service against a simulated DStack
	@$(BIN)/dstack-backend demo

test: $(STAMP) ## run all tests
	@$(BIN)/python -m pytest --cov --cov-report=term

faults: $(STAMP) ## run the fault suite, about 9 minutes
	@$(BIN)/python -m pytest tests/faults

fuzz: $(STAMP) ## run Hypothesis with many examples, about 2 minutes; FACTOR=20 runs longer
	@FUZZ_FACTOR=$(or $(FACTOR),1) $(BIN)/python -m pytest --timeout=0 tests/fuzz

httpx2: $(STAMP) ## run the tests of the HTTP clients with httpx2 in place of httpx, 2 minutes
	@$(BIN)/python -m pytest -p tests.httpx2_plugin $(HTTPX2_TESTS)

mutation: $(STAMP) ## check that the unit tests detect changes of the domain, about 20 minutes
	@$(BIN)/python -m tools.mutation $(FILES)

deploy-check: $(STAMP) ## test deploy/; needs Debian's prometheus, prometheus-alertmanager, systemd
	@$(BIN)/python -m pytest tests/deploy

browser-tests: $(STAMP) ## test the page in a browser, 2 minutes; needs Debian's chromium
	@$(BIN)/python -m pytest tests/browser

check: static deploy-check browser-tests test ## run everything that CI runs
static: lint types imports lock-check settings-check build ## run the static checks: format, lint, types, imports, locks, settings, wheel

format: $(STAMP) ## format the code
	@$(BIN)/ruff check --fix-only --quiet . && $(BIN)/ruff format .

lint: $(STAMP)
	@$(BIN)/ruff format --check . && $(BIN)/ruff check .

types: $(STAMP)
	@$(BIN)/mypy && $(BIN)/pyright

imports: $(STAMP)
	@$(BIN)/lint-imports

lock: $(STAMP) ## update the lock files from pyproject.toml
	@$(BIN)/python -m tools.lock

lock-check: $(STAMP)
	@$(BIN)/python -m tools.lock --check

bench: $(STAMP) ## run the benchmarks, write docs/benchmarks.md; needs wrk and nginx
	@$(BIN)/python -m bench

schema: $(STAMP) ## write docs/backend-info.schema.json
	@$(BIN)/python -m tools.schema

settings: $(STAMP) ## write the table of settings into the READMEs
	@$(BIN)/python -m tools.settings_table

settings-check: $(STAMP)
	@$(BIN)/python -m tools.settings_table --check

build: $(STAMP) ## build wheel and sdist into dist/
	@rm -rf dist && $(BIN)/python -m build --no-isolation --outdir dist . >/dev/null && ls dist

clean: ## remove everything that make has created
	@rm -rf .venv dist .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# --no-deps: the lock is complete. Without it pip would consider newer releases.
$(STAMP): pyproject.toml requirements/dev.txt
	@$(PYTHON) -m tools.python_version
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv (about a minute the first time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m pip check --quiet --disable-pip-version-check
	@touch $@
