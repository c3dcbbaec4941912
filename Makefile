# The two commands that matter: `make report` and `make test`. Each sets up what it needs.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help setup report test lab bench lint docs sample lock browser schedulers engines clean

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and f"Python 3.11 or newer is needed, found {v[0]}.{v[1]}. Name another one: make PYTHON=python3.12 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

setup: $(STAMP)  ## make .venv with the pinned dependencies

report: $(STAMP)  ## write the weekly report of data/sample to out/
	@$(BIN)/senderscore report data/sample --timezone Europe/Stockholm --output out

browser:
	@sh tests/install_browser.sh

schedulers:
	@sh tests/install_schedulers.sh

engines:
	@sh tests/install_engines.sh

test: $(STAMP) browser schedulers engines  ## run every test, the browser's, schedulers' and engines' too
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

lab: $(STAMP)  ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks

bench: $(STAMP)  ## measure speed and memory against rivals and the floor
	$(BIN)/python -m benchmarks $(ARGS)

lint: $(STAMP)  ## ruff and strict typing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(STAMP) browser  ## make the pictures and tables of README and docs
	$(BIN)/python -m docs.make

sample: $(STAMP)  ## write data/sample again from its seed
	$(BIN)/python -m senderscore_nb.sample data/sample

lock: $(STAMP)  ## pin what is installed now
	$(BIN)/python -m pip freeze --exclude-editable --disable-pip-version-check > constraints.txt

clean:  ## remove what was made
	rm -rf out .venv build dist .mypy_cache .ruff_cache
