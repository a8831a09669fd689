# Each target installs what it needs. Requirement: python3 3.11 or newer, with venv and pip.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
# Most tests wait for a process or a socket, so that one more than there are cores is faster.
WORKERS = $(shell $(BIN)/python -c 'import os; print(os.cpu_count() + 1)')
PARALLEL = -n $(WORKERS) --dist loadfile
HTTPX2_TESTS := tests/contract/ports/dstack tests/contract/kit/test_simulated_dstack.py \
	tests/unit/adapters/httpx_dstack tests/unit/adapters/test_httpx_status.py \
	tests/unit/app/config/test_dstack_settings.py tests/unit/app/doctor/dstack tests/unit/app/status

.PHONY: help rules demo test faults fuzz mutation check static format lint types imports lock lock-check workflows bench schema settings settings-check build docs deploy-check browser-tests httpx2 packages bench-packages release-check release-notes sbom image image-check clean
help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

demo: $(STAMP) ## run the service against a simulated DStack
	@$(BIN)/dstack-backend demo

test: $(STAMP) ## run all tests
	@$(BIN)/python -m pytest $(PARALLEL) --cov --cov-report=term

faults: $(STAMP) ## run the fault suite, about 9 minutes
	@$(BIN)/python -m pytest tests/faults

fuzz: $(STAMP) ## run Hypothesis with many examples, about 2 minutes; FACTOR=20 runs longer
	@FUZZ_FACTOR=$(or $(FACTOR),1) $(BIN)/python -m pytest --timeout=0 tests/fuzz

httpx2: $(STAMP) ## run the tests of the HTTP clients with httpx2 in place of httpx, 2 minutes
	@$(BIN)/python -m pytest $(PARALLEL) -p tests.httpx2_plugin $(HTTPX2_TESTS)

mutation: $(STAMP) ## check that the unit tests detect changes of the domain, about 20 minutes
	@$(BIN)/python -m tools.mutation $(FILES)

deploy-check: $(STAMP) ## test deploy/; needs Debian's prometheus, prometheus-alertmanager, systemd
	@$(BIN)/python -m pytest $(PARALLEL) tests/deploy

browser-tests: $(STAMP) ## test the page in a browser, 3 minutes; needs Debian's chromium
	@$(BIN)/python -m pytest $(PARALLEL) tests/browser

check: static deploy-check browser-tests test ## run everything that CI runs
static: lint types imports lock-check settings-check workflows build docs ## run the static checks: format, lint, types, imports, locks, settings, .github, wheel, documents

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

# --strict-collection: a file that cannot be parsed is an error, not a warning.
workflows: $(STAMP) ## check .github and the shell scripts
	@$(BIN)/actionlint -shellcheck $(BIN)/shellcheck -pyflakes=
	@$(BIN)/zizmor --offline --persona pedantic --strict-collection --quiet --no-progress .github
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-issue-forms $(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	@$(BIN)/check-jsonschema --quiet --builtin-schema custom.github-workflows-require-timeout .github/workflows/*.yml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.renovate .github/renovate.json
	@$(BIN)/shellcheck .ci/run tools/*.sh

# Debian's packages of what the checks run beside Python. Each line is a program (or file) and its package.
packages: ## install what `check` needs; as root or with sudo
	@tools/packages.sh promtool=prometheus amtool=prometheus-alertmanager systemd-analyze=systemd \
		chromium=chromium /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc=fonts-noto-cjk

bench-packages: ## install what `bench` needs; as root or with sudo
	@tools/packages.sh wrk=wrk nginx=nginx-light

release-check: $(STAMP) ## check that VERSION=1.2.0 can be released
	@$(BIN)/python -m tools.release check "$$VERSION"

release-notes: $(STAMP) ## print the changelog of VERSION=1.2.0
	@$(BIN)/python -m tools.release notes "$$VERSION"

bench: $(STAMP) ## run the benchmarks, write docs/benchmarks.md; needs wrk and nginx
	@$(BIN)/python -m bench

schema: $(STAMP) ## write docs/backend-info.schema.json
	@$(BIN)/python -m tools.schema

rules: $(STAMP) ## write the PrometheusRule objects from deploy/prometheus
	@$(BIN)/python -m tools.prometheus_rules

settings: $(STAMP) ## write the table of settings into the READMEs
	@$(BIN)/python -m tools.settings_table

settings-check: $(STAMP)
	@$(BIN)/python -m tools.settings_table --check

build: $(STAMP) ## build wheel and sdist into dist/
	@rm -rf dist && $(BIN)/python -m build --no-isolation --outdir dist . >/dev/null && ls dist

docs: $(STAMP) ## build the documentation site into build/docs; fails for a dead link
	@$(BIN)/sphinx-build -q -W --keep-going -E -c docs -d build/doctrees . build/docs
	@echo "build/docs/index.html"

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
	@rm -rf .venv build dist sbom .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# --no-deps: the lock is complete. Without it pip would consider newer releases.
$(STAMP): pyproject.toml requirements/dev.txt
	@$(PYTHON) -m tools.python_version
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv (one to two minutes the first time) ..." >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m pip check --quiet --disable-pip-version-check
	@touch $@
