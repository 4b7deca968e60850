# `make help` lists what there is. Two commands do everything on a fresh machine: `make demo` and `make test`. Needs Python 3.11 to 3.13; npm helps (data).
PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check
# Others' detectors and metrics to compare with, and the libraries that models come from, in an environment of their own:
# they need torchvision, Conspect must not.
# The explorer's page, built from explorer/ and never committed.
BUNDLE := src/conspect/web/explorer/bundle
PEERS := .venv-peers
PEER_PACKAGES := pytorch-ood==0.4.0 torch torchvision scikit-learn torchmetrics matplotlib
PEER_TESTS := hypothesis pytest pytest-timeout pytest-xdist
MODEL_EXTRAS := onnx,open-clip,timm,torchvision,transformers

.PHONY: changelog coverage demo explorer figures test-explorer help site test-wheel test test-slow peers test-adapters test-peers lint mutants types check bench bench-record wheel lock sbom audit test-minimum clean
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | sort | awk -F'|' '{ printf "make %-14s %s\n", $$1, $$2 }'

demo: $(VENV)/.demo explorer ## debug a real classifier on real photographs and write a report; ARGS="--images 300" for a quick look
	$(VENV)/bin/conspect demo $(ARGS)

# The demo does without the page where it cannot be built: its report needs none.
explorer: $(VENV)/.demo ## the page of `conspect explore`
	@$(MAKE) --no-print-directory $(BUNDLE)/index.html || echo "WARNING: the explorer's page could not be built; the report works without it" >&2

$(BUNDLE)/index.html: explorer/package-lock.json explorer/build.sh explorer/index.html explorer/vite.config.ts $(shell find explorer/src -type f)
	explorer/build.sh $(CURDIR)/$(VENV)/bin/python

test-explorer: $(VENV)/.test explorer ## the page's own tests: types, units, and every view in a real browser where one is there
	cd explorer && npm run --silent check && npm test --silent
	$(VENV)/bin/python -m pytest tests/explorer --slow $(ARGS)

test: $(VENV)/.test ## the tests that take seconds; ARGS are pytest's
	$(VENV)/bin/python -m pytest -n 2 $(ARGS)

coverage: $(VENV)/.test ## the quick tests with branches counted; fails below the floor in pyproject.toml
	$(VENV)/bin/python -m pytest -n 2 --cov --cov-report=term:skip-covered $(ARGS)

test-slow: $(VENV)/.test ## all tests
	$(VENV)/bin/python -m pytest -n 2 --slow $(ARGS)

# Every model and VLM adapter against its own library, by value; torchvision, timm and open_clip are in the peers' environment.
test-adapters: peers ## every adapter of models and VLMs against its own library
	$(PEERS)/bin/python -m pytest -n 2 tests/adapters/test_contract.py tests/adapters/test_heads.py tests/adapters/test_preprocessing.py tests/adapters/test_untrusted_models.py tests/adapters/test_own_study.py $(ARGS)

# Equality with pytorch-ood and torch-uncertainty, by value.
test-peers: peers ## equality with pytorch-ood and torch-uncertainty
	$(PEERS)/bin/python -m pytest tests/peers -rs $(ARGS)

peers: $(PEERS)/.installed ## the environment of those two

lint: $(VENV)/.dev ## style
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: $(VENV)/.dev ## types
	$(VENV)/bin/mypy

check: lint types test ## style, types and tests

# Every benchmark, as one page; compares the ratios with the recorded ones and fails where one is worse by over a fifth.
bench: $(VENV)/.test ## every benchmark, compared with the recorded ones
	$(VENV)/bin/python -m conspect.bench out/bench $(if $(wildcard docs/benchmarks.json),--recorded docs/benchmarks.json) $(ARGS)

# What README and docs say of the demo, held against what the demo wrote.
figures: $(VENV)/.test ## do the pages have the figures of out/demo?
	$(VENV)/bin/python -m tests.demo_figures out/demo

# Small mistakes in the rooms whose errors would be believed: does a test notice?
mutants: $(VENV)/.test ## mutation testing of a sample; ARGS="statistics --count 40 --seed 3"
	$(VENV)/bin/python -m tests.mutants $(ARGS)

# What `make bench` measured becomes what later runs are compared with.
bench-record: ## what `make bench` measured becomes the record
	cp out/bench/benchmarks.json out/bench/benchmarks.md docs/

# How the fragments of changelog.d will read in CHANGELOG.md.
changelog: $(VENV)/.dev ## how the fragments will read
	$(VENV)/bin/towncrier build --draft --version next

# The pages of docs/ as a site in out/site; a warning is an error.
site: $(VENV)/.dev ## the documentation as a site in out/site
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict

clean: ## remove what make has made
	rm -rf $(VENV) .venv-* out build dist

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { echo "Conspect needs Python 3.11 to 3.13; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Written last, so that an interrupted installation is done again. Everything but torch has its digest in the lock: which build
# of torch fits depends on the machine.
$(VENV)/.demo: pyproject.toml constraints.txt lock/demo.txt | $(VENV)/bin/python
	$(PIP) install -q -c constraints.txt torch
	$(PIP) install -q --no-deps --require-hashes -r lock/demo.txt
	$(PIP) install -q --no-deps -e .
	touch $@

$(VENV)/.test: $(VENV)/.demo lock/test.txt
	$(PIP) install -q --no-deps --require-hashes -r lock/test.txt
	touch $@

$(VENV)/.dev: $(VENV)/.test lock/dev.txt
	$(PIP) install -q --no-deps --require-hashes -r lock/dev.txt
	touch $@

# What stands behind a release: docs/releasing.md.
wheel: $(VENV)/.release ## build twice and compare the bytes
	.ci/wheel "$(CURDIR)/.venv-release/bin/python"

# Versions stay where they fit what pyproject.toml asks for; LOCK_ARGS are those of `uv pip compile`, such as --upgrade.
lock: $(VENV)/bin/python ## write lock/*.txt anew
	$(PIP) install -q uv
	$(VENV)/bin/python .ci/lock $(LOCK_ARGS)

sbom: $(VENV)/.release $(VENV)/.test ## bill of materials
	mkdir -p dist
	.venv-release/bin/cyclonedx-py environment $(VENV)/bin/python --pyproject pyproject.toml --output-reproducible --of JSON -o dist/sbom.json

audit: $(VENV)/.release $(VENV)/.test ## known vulnerabilities of what is installed
	$(VENV)/bin/python -m pip freeze --exclude-editable | sed 's/+cpu$$//' >.venv-release/installed.txt
	.venv-release/bin/pip-audit --no-deps --disable-pip -r .venv-release/installed.txt

$(VENV)/.release: | $(VENV)/bin/python
	$(PYTHON) -m venv .venv-release
	.venv-release/bin/python -m pip install -q build cyclonedx-bom pip-audit
	touch $@

# The tests against the built wheel, where src is not.
test-wheel: ## the tests against the built wheel
	.ci/test-wheel $(PYTHON) $(ARGS)

# The oldest version of every dependency that pyproject.toml allows, in an environment of its own.
test-minimum: ## the tests with the oldest versions allowed
	$(PYTHON) -m venv .venv-minimum
	.venv-minimum/bin/python -m pip install -q -c constraints-minimum.txt -e '.[export,fast,ontology,test,torch,verify]'
	.venv-minimum/bin/python -m pytest -n 2 $(ARGS)

$(PEERS)/.installed: pyproject.toml constraints.txt Makefile
	test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip --disable-pip-version-check install -q -c constraints.txt -e '.[$(MODEL_EXTRAS)]' $(PEER_PACKAGES) $(PEER_TESTS)
	# One module of it is used, which does not need the training stack that the package declares.
	$(PEERS)/bin/python -m pip --disable-pip-version-check install -q --no-deps torch-uncertainty==0.13.0
	touch $@
