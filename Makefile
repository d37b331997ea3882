# Needs Python 3.11 (or newer), make, git and a package index; everything else goes into .venv.
CONFIG ?= configs/slovenia.yaml
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
INSTALLED := .venv/.installed
TOOLS := .venv/.installed-dev
SITE := .venv/.installed-docs
# What computing takes, and what `channelmaps serve` takes besides.
LOCKS := requirements.lock requirements-server.lock
INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check
LOCKED := $(INSTALL) --require-hashes $(LOCKS:%=--requirement %)

.PHONY: maps demo test test-all test-postgresql test-slurm test-qgis test-web test-image bench load web docs validation lint format lock clean help
.DELETE_ON_ERROR:

help:
	@echo "make maps [CONFIG=configs/x.yaml]  compute the maps of a territory and publish them under results/"
	@echo "make demo                           a small territory that comes with the program, then its web map"
	@echo "make test | test-all | bench       quick tests | all tests | benchmarks"
	@echo "make load [RESULTS=results/x]       answers a second of channelmaps serve, on that run or one made for it"
	@echo "make test-postgresql                the server's tests on PostgreSQL; installs Debian's (as root)"
	@echo "make test-slurm                     a run on a SLURM of one machine; installs Debian's (as root)"
	@echo "make test-qgis                      tests in a real QGIS; installs Debian's if there is none (as root)"
	@echo "make test-web                       tests of web map and report in Chromium; installs it (as root) and playwright"
	@echo "make test-image                     build the image of the Dockerfile and run it; skipped without a daemon"
	@echo "make web                            build the page of the web map anew (maintainers; needs Node 20 and npm)"
	@echo "make docs                           the tables of docs/outputs.md from the table of layers, then the site of docs/ in site/"
	@echo "make validation [DATA=folder]       write the tables of docs/validation.md anew: models against results and measurements"
	@echo "make lint | format | lock | clean  checks | formatting | new lock files | remove intermediates"

maps: $(INSTALLED)
	@$(BIN)/python -m pipeline run "$(CONFIG)"

demo: $(INSTALLED)
	@$(BIN)/python -m pipeline demo

test: $(TOOLS)
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

# Those in QGIS and in a browser too, where they are there; else they are skipped and say so.
test-all: $(TOOLS) $(SITE)
	$(BIN)/python -m pytest -n auto --dist loadfile -m "slow or not slow" --hypothesis-profile=default

# Tests of the server on PostgreSQL are slow, and skipped where it is not; here it is installed if need be.
test-postgresql: $(TOOLS)
	@ls /usr/lib/postgresql/*/bin/pg_ctl >/dev/null 2>&1 || test -n "$$CHANNELMAPS_TEST_POSTGRESQL" || { \
	    command -v apt-get >/dev/null || { echo "make: install PostgreSQL first" >&2; exit 1; }; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -qq postgresql >/dev/null; }
	$(BIN)/python -m pytest tests/loop -k postgresql -m "slow or not slow"

# A controller and a node on this machine, as root, where no SLURM is configured.
test-slurm: $(TOOLS) $(SITE)
	@command -v slurmctld >/dev/null || { \
	    command -v apt-get >/dev/null || { echo "make: install SLURM and munge first" >&2; exit 1; }; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -qq slurm-wlm munge >/dev/null; }
	$(BIN)/python -m pytest -m slow tests/workflow/test_slurm.py

# PyQGIS works with the system's Python only; without it the tests that open QGIS are skipped and say so.
test-qgis: $(TOOLS)
	@/usr/bin/python3 -c 'import qgis.core' 2>/dev/null || { \
	    command -v apt-get >/dev/null || { echo "make: install QGIS with its Python bindings first" >&2; exit 1; }; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -qq qgis python3-qgis >/dev/null; }
	$(BIN)/python -m pytest tests/publish/test_qgis.py tests/publish/test_qgis_plugin.py

# Playwright drives a browser that is there already.
test-web: $(TOOLS) $(SITE)
	@for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null && exit 0; done; \
	    command -v apt-get >/dev/null || { echo "make: install Chromium first" >&2; exit 1; }; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -qq chromium >/dev/null
	$(BIN)/python -m pytest -n auto --dist loadfile -m slow tests/publish/test_report_browser.py tests/publish/web

test-image:
	@command -v docker >/dev/null || { echo "make: image not tested: docker is not installed"; exit 0; }; \
	    docker info >/dev/null 2>&1 || { echo "make: image not tested: no docker daemon is running"; exit 0; }; \
	    docker build --tag channelmaps . && docker run --rm channelmaps --version

bench: $(TOOLS)
	$(BIN)/python -m tests.bench

# Answers a second of `channelmaps serve`, on a run that is there or on one that is made for it.
RESULTS ?=
load: $(TOOLS)
	$(BIN)/python -m tests.loop.load $(RESULTS)

lint: $(TOOLS)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy pipeline
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint

format: $(TOOLS)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile rules

docs: $(SITE)
	$(BIN)/python -c "from pathlib import Path; from pipeline.publish.outputs_page import update; update(Path('docs/outputs.md'))"
	PYTHONPATH=. $(BIN)/python -m mkdocs build --quiet --strict
	@echo "Open site/index.html"

# Reference data that are not part of the project lie beside it; what is not there keeps its tables.
validation: $(INSTALLED)
	$(BIN)/python -m pipeline validation docs/validation.md $(if $(DATA),--data "$(DATA)")

# Same sources and lock file, same bytes; only who changes the page needs it, the built page is committed.
web:
	@command -v npm >/dev/null || { echo "make: npm not found; Node.js 20 or newer is needed" >&2; exit 1; }
	cd pipeline/publish/web/page && npm ci --ignore-scripts --silent && npm run --silent build && npm test --silent

# The locks of $(LOCKS) are what `make maps` installs; the others have what tests and checks, and the site of the documentation, tests in
# a browser and this target need besides. Each has no package of those of `make maps`, and their versions; but the site needs colorama
# everywhere, `make maps` on Windows only.
COMPILE = $(BIN)/uv pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 --generate-hashes --no-header \
    --no-emit-index-url --extra build --extra cluster
NAMES = sed -n 's/^\([A-Za-z0-9._-]*\)==.*/--no-emit-package \1/p'
FITTING = $(LOCKS:%=--constraint %) --extra server
lock: $(SITE)
	$(COMPILE) pyproject.toml --output-file requirements.lock
	$(COMPILE) --extra server --constraint requirements.lock $$($(NAMES) requirements.lock) pyproject.toml --output-file requirements-server.lock
	$(COMPILE) --extra dev --extra postgresql $(FITTING) $$($(NAMES) $(LOCKS)) pyproject.toml --output-file requirements-dev.lock
	$(COMPILE) --extra browser --extra docs --extra lock --extra pdf --extra slurm --constraint requirements-dev.lock $(FITTING) \
	    $$(cat $(LOCKS) | grep -v '^colorama==' | $(NAMES)) pyproject.toml --output-file requirements-docs.lock

# Published results stay.
clean:
	rm -rf build logs benchmarks site .snakemake .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(INSTALLED): $(LOCKS) pyproject.toml
	@test -n "$(PYTHON)" || { echo "make: no python3 found; Python 3.11 or newer is needed" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "make: Python 3.11 or newer is needed (set PYTHON=...)")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing the pinned packages into .venv (some minutes the first time)"
	$(LOCKED)
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(TOOLS): requirements-dev.lock $(INSTALLED)
	@echo "Installing what tests and checks need besides"
	$(LOCKED) --requirement requirements-dev.lock
	@touch $@

$(SITE): requirements-docs.lock $(INSTALLED)
	@echo "Installing what the site, tests in a browser and new lock files need besides"
	$(LOCKED) --requirement requirements-docs.lock
	@touch $@
