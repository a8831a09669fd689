# Each target installs what it needs. Requirement: python3 3.11 or newer, with venv and pip.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: help demo test faults fuzz mutation check static format lint types imports lock lock-check bench schema settings settings-check build sbom image image-check deploy-check browser-tests clean
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

demo: $(STAMP) ## run the service against a simulated DStack
	@$(BIN)/dstack-backend demo

test: $(STAMP) ## run all tests
	@$(BIN)/python -m pytest --cov --cov-report=term

faults: $(STAMP) ## run the fault suite, about 9 minutes
	@$(BIN)/python -m pytest tests/faults

fuzz: $(STAMP) ## run Hypothesis with many examples, about 2 minutes; FACTOR=20 runs longer
	@FUZZ_FACTOR=$(or $(FACTOR),1) $(BIN)/python -m pytest --timeout=0 tests/fuzz

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

sbom: $(STAMP) ## write the SBOM of the image's Python packages into sbom/
	@$(BIN)/python -m tools.sbom sbom/dstack-backend-$$($(BIN)/dstack-backend --version).cdx.json && ls sbom

# Labels and times come from the commit. SOURCE is the address of the repository.
BUILD_IMAGE = SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) docker buildx build \
	--build-arg VERSION=$$($(BIN)/dstack-backend --version) \
	--build-arg REVISION=$$(git rev-parse HEAD) --build-arg SOURCE=$(SOURCE)

image: $(STAMP) ## build the image dstack-backend:latest with its labels
	@$(BUILD_IMAGE) --load --tag dstack-backend:latest .

# --provenance=false: it contains the time of the build.
image-check: image ## test the image, and that two builds are equal; needs docker with its containerd image store
	@$(BIN)/python -m pytest tests/image
	@mkdir -p dist && for number in 1 2; do \
		$(BUILD_IMAGE) --no-cache --provenance=false --quiet \
			--output type=oci,dest=dist/image-$$number.tar,rewrite-timestamp=true . || exit; \
	done
	@cmp dist/image-1.tar dist/image-2.tar && rm dist/image-1.tar dist/image-2.tar

clean: ## remove everything that make has created
	@rm -rf .venv dist sbom .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# --no-deps: the lock is complete. Without it pip would consider newer releases.
$(STAMP): pyproject.toml requirements/dev.txt
	@$(PYTHON) -m tools.python_version
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv (about a minute the first time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m pip check --quiet --disable-pip-version-check
	@touch $@
