# Each target installs what it needs into .venv; a machine needs only Python 3.11 and pip.
PYTHON ?= python3
BIN := .venv/bin
# Timings vary less if other programs run, as in CI; see cli/process.py.
export OMP_WAIT_POLICY ?= passive
export GOMP_SPINCOUNT ?= 2000
# Keep compiled modules, also where an environment says not to: tests start hundreds of processes.
export PYTHONDONTWRITEBYTECODE :=
SOURCES := src tests benchmarks docs notebooks web/test conftest.py

.PHONY: help setup demo test test-long test-slow fuzz test-web check web bench proof studies docs exercises notebooks site clean

help: ## List the targets.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/ready ## Install the package and the dependencies of its tests into .venv.

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $@

demo: setup ## Train an autoencoder and a VAE on MNIST, and write runs/demo/report.html.
	$(BIN)/autoencode demo --out runs/demo --overwrite

test: setup ## Run the quick tests.
	$(BIN)/python -m pytest -n 2 -m "not long and not slow"

test-long: setup ## Run the tests that take seconds each: complete runs, every command of the docs.
	$(BIN)/python -m pytest -n 2 -m "long and not slow"

test-slow: setup ## Run the tests that take minutes: killed processes, full trainings.
	$(BIN)/python -m pytest -m slow

fuzz: setup ## Try damaged and hostile input for MINUTES=60; its cases differ each time.
	FUZZ_MINUTES=$(or $(MINUTES),60) $(BIN)/python -m pytest -n 2 tests/fuzz

test-web: setup web/node_modules/ready ## Test the explorer's page in Chromium and Firefox; needs node 20.
	cd web && npm run --silent check && npm run --silent test

check: setup ## Check style and types with ruff and mypy.
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy

web: web/node_modules/ready ## Build the explorer's page into the package; needs node 20.
	cd web && npm run --silent check && npm run --silent build

web/node_modules/ready: web/package-lock.json
	cd web && npm ci --silent --no-audit --no-fund
	@touch $@

bench: setup .venv-peers/ready ## Measure speed, also of other libraries, and write docs/benchmarks.md.
	$(BIN)/python benchmarks/speed

# One at a time: a library that cannot be installed is not measured, and the page says so.
.venv-peers/ready: benchmarks/speed/peers.txt
	$(PYTHON) -m venv .venv-peers
	while read -r peer; do .venv-peers/bin/python -m pip install --quiet \
	    --disable-pip-version-check "$$peer" || echo "not installed: $$peer"; done < $<
	@touch $@

proof: setup ## Compare recipes with their papers, and write docs/proof.md; takes hours.
	$(BIN)/python benchmarks/papers.py

studies: setup ## Run all studies on MNIST, and write docs/studies/; takes more than an hour.
	$(BIN)/python benchmarks/studies.py mnist

docs: setup ## Write docs/recipes.md, and the table of recipes in docs/export.md.
	$(BIN)/python docs/generate.py

site: .venv/site-ready ## Build the site from docs/ into build/site/; its warnings are errors.
	$(BIN)/python -m sphinx -W --keep-going -q -b html -d build/site-doctrees docs build/site

.venv/site-ready: .venv/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[docs]"
	@touch $@

exercises: setup ## Write the exercises of the course into notebooks/build/exercise.
	$(BIN)/python notebooks/make.py --exercises

notebooks: setup ## Execute the notebooks into notebooks/build; SHORT=1 trains for few steps.
	$(BIN)/python notebooks/make.py $(if $(SHORT),--short)

clean: ## Delete what the other targets made, except runs/.
	rm -rf .venv .venv-peers build dist notebooks/build .mypy_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
