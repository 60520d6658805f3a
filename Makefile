# `make help` lists the targets. Every target first brings .venv up to date with requirements.lock.

VENV    ?= .venv
JOBS    ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2)
PROFILE ?= smoke
UPGRADE ?=
# `--cov` counts covered lines, which takes a quarter more time; a workflow sets it.
COVERAGE ?=

# The newest suitable Python on PATH; `make PYTHON=/path/to/python` overrides it. Candidates are run, not only looked
# up: version managers leave commands behind that do not work.
PYTHON  ?= $(shell for python in python3.13 python3.12 python3.11 python3 python; do \
	$$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& command -v $$python && break; done)

CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)

BIN       := $(VENV)/bin
INSTALLED := $(VENV)/.installed
SITE      := _build/html

# Each process works on one thread, so that JOBS of them share the cores and results do not depend on the core count.
export OMP_NUM_THREADS ?= 1
# Where it is set, each of the many processes would compile all that it imports from the sources of the libraries.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install book pdf axe test test-lowest test-wheel audit check-site check-links notebooks home lock format clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  Settings: JOBS=$(JOBS) PROFILE=$(PROFILE) VENV=$(VENV) PYTHON=$(PYTHON)"

install: $(INSTALLED) ## Create .venv with the locked packages and this one

book: $(INSTALLED) ## Run the missing benchmarks, execute the chapters, build the site
# A notebook of each experiment shows that papermill does it; the others come without, to the same records.
	$(BIN)/lcmat sweep --profile $(PROFILE) --jobs $(JOBS) --notebooks first
	$(BIN)/lcmat chapters --jobs $(JOBS)
	$(BIN)/python -m lcmat.report.headline
	$(BIN)/python -m lcmat.book.reading_map
# From scratch, because Sphinx repeats no warning for a page it has built before, and -W would see none.
	rm -rf $(SITE) _build/.doctrees
	$(BIN)/jupyter-book build . -W -n --keep-going
	@echo
	@echo "The book: file://$(CURDIR)/$(SITE)/index.html"

pdf: $(INSTALLED) ## Print the whole book into _build/book.pdf (after make book; needs Chromium, and some minutes)
	$(BIN)/jupyter-book build . --builder custom --custom-builder singlehtml
# The addresses in the single page are relative to the folder above it.
	cp _build/singlehtml/book/intro.html _build/singlehtml/print.html
	$(CHROMIUM) --headless --no-sandbox --no-pdf-header-footer --virtual-time-budget=300000 \
		--print-to-pdf=_build/book.pdf "file://$(CURDIR)/_build/singlehtml/print.html"

test: $(INSTALLED) ## Lint, check the format, the types and the direction of imports, run the tests (COVERAGE=--cov counts)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy lcmat
	$(BIN)/lint-imports
# A file's tests stay in one process, so that what they share is made once.
	$(BIN)/python -m pytest -n 2 --dist loadfile --max-worker-restart 0 $(COVERAGE) -m "not site and not slow"

test-lowest: $(INSTALLED) ## Run the tests with the lowest versions of the direct dependencies (needs the internet)
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(VENV)/lowest
	$(BIN)/uv pip install --quiet --python $(VENV)/lowest/bin/python --resolution lowest-direct --editable '.[run]'
	$(BIN)/uv pip install --quiet --python $(VENV)/lowest/bin/python --editable '.[dev]'
	$(VENV)/lowest/bin/python -m pytest -n 2 -m "not site and not slow" tests

test-wheel: $(INSTALLED) ## Install the wheel with the newest dependencies, and do a run far from here (needs the internet)
	rm -rf _build/dist _build/bare
	$(BIN)/uv build --quiet --out-dir _build/dist
	$(BIN)/uv venv --quiet --python $(BIN)/python _build/bare
	$(BIN)/uv pip install --quiet --python _build/bare/bin/python _build/dist/*.whl
	cd _build/bare && bin/lcmat run selection --no-notebook -p method=lcmat-s -p fraction=0.05 -p epochs=2

audit: | $(BIN)/uv ## List the locked packages (_build/sbom.json) and those with known faults (needs the internet)
	mkdir -p _build
	$(BIN)/uv tool run pip-audit==2.10.1 --disable-pip --require-hashes --requirement requirements.lock \
		--format cyclonedx-json --output _build/sbom.json

check-site: $(INSTALLED) ## Open the built pages in a headless browser (after make book)
	$(BIN)/python -m pytest -n 2 -m site tests

axe: ## Fetch axe-core, with which check-site looks for obstacles to readers (needs npm and the internet)
	mkdir -p _build/axe
	cd _build/axe && npm pack --silent axe-core@4.14.1 && tar -xzf axe-core-4.14.1.tgz

check-links: $(INSTALLED) ## Try the links that leave the book (after make book; needs the internet)
	$(BIN)/jupyter-book build . --builder linkcheck

notebooks: $(INSTALLED) ## Convert the chapters to .ipynb, for papermill, Jupyter or Colab
	$(BIN)/lcmat notebooks

home: $(INSTALLED) ## Write the address of the repository and its site everywhere (REPOSITORY=owner/name)
	$(BIN)/python -m lcmat.files.home "$(REPOSITORY)"

lock: | $(BIN)/uv ## Pin the dependencies anew (UPGRADE=--upgrade for the newest)
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --extra book --extra dev $(UPGRADE) \
		--output-file requirements.lock pyproject.toml

format: $(INSTALLED) ## Format the code and apply the safe fixes
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean: ## Remove everything `make book` and `make notebooks` made, but not .venv
	rm -rf _build .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .snakemake book/records/*/digits
	find book notebooks -name '*.ipynb' -delete

$(BIN)/uv: # An installer of the version and hashes that the lock states
	@test -n "$(PYTHON)" || { echo "No Python >= 3.11 with its venv module on PATH; name one: make PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	awk '/^[^ #]/ {wanted = /^uv==/} wanted' requirements.lock > $(VENV)/uv.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt

$(INSTALLED): requirements.lock pyproject.toml | $(BIN)/uv
	$(BIN)/uv pip install --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@
