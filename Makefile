# Each verb sets up what it needs in .venv; a fresh machine needs Python 3.11 and pip only.
PYTHON ?= python3
BIN := .venv/bin
# See cli/process.py: steady where other programs run, as in CI.
export OMP_WAIT_POLICY ?= passive
export GOMP_SPINCOUNT ?= 2000
SOURCES := src tests benchmarks docs web/test

.PHONY: help setup demo test test-long test-slow test-web check web bench proof studies docs clean

help: ## List the verbs.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/ready ## Install the package and what its tests need into .venv.

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $@

demo: setup ## Train an autoencoder and a VAE on MNIST and write runs/demo/report.html.
	$(BIN)/autoencode demo --out runs/demo --overwrite

test: setup ## Run the quick test suite.
	$(BIN)/python -m pytest -n 2 -m "not long and not slow"

test-long: setup ## Run the tests that take some seconds each: whole runs, every command of the docs.
	$(BIN)/python -m pytest -n 2 -m "long and not slow"

test-slow: setup ## Run the tests that take longer: kills, full trainings.
	$(BIN)/python -m pytest -m slow

test-web: setup web/node_modules/ready ## Test the explorer's page: node 20, Chromium and Firefox.
	cd web && npm run --silent check && npm run --silent test

check: setup ## Check style and types.
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy

web: web/node_modules/ready ## Build the explorer's page into the package; needs node 20.
	cd web && npm run --silent check && npm run --silent build

web/node_modules/ready: web/package-lock.json
	cd web && npm ci --silent --no-audit --no-fund
	@touch $@

bench: setup .venv-peers/ready ## Time all beside other libraries; writes docs/benchmarks.md.
	$(BIN)/python benchmarks/speed

# One at a time: what cannot be installed is not measured, and the page says so.
.venv-peers/ready: benchmarks/speed/peers.txt
	$(PYTHON) -m venv .venv-peers
	while read -r peer; do .venv-peers/bin/python -m pip install --quiet \
	    --disable-pip-version-check "$$peer" || echo "not installed: $$peer"; done < $<
	@touch $@

proof: setup ## Hold the rows of the table to their papers; writes docs/proof.md, takes hours.
	$(BIN)/python benchmarks/papers.py

studies: setup ## Carry out all studies on MNIST; writes docs/studies/, takes more than an hour.
	$(BIN)/python benchmarks/studies.py mnist

docs: setup ## Write the pages that are made from the table of recipes.
	$(BIN)/python docs/generate.py

clean: ## Take away what the other verbs made; runs/ stays.
	rm -rf .venv .venv-peers build dist .mypy_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
