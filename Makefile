# make run    starts the server on the loopback, with SQLite
# make demo   plays the flow of two users against a server of its own
# make test   runs every test; those that need another program are skipped without it
# make lint   style and types;  make docs  the pages;  make bench  what things cost
# make calls  ten thousand calls through a Kamailio behind, by each mix of transports
# make budgets  whether single steps keep to what they may cost, on a quiet machine

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
ARGS ?=
# Files of tests that run at the same time: most wait for what others say.
JOBS ?= 4
# What is asked for has no tests of the kind, as pytest says it.
NONE = test $$? = 5

.PHONY: run demo test lint bench budgets calls docs clean

run: $(VENV)/.installed
	$(BIN)/twistd -n --pidfile= presproxy $(ARGS)

demo: $(VENV)/.installed
	$(BIN)/presproxy demo $(ARGS)

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile \
		-m "not speed and not calls and not alone" $(ARGS) || $(NONE)
	$(BIN)/python -m pytest -m "alone and not speed and not calls" $(ARGS) || $(NONE)

lint: $(VENV)/.installed-lint $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.installed-test
	$(BIN)/python -m bench $(ARGS)

budgets: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m speed tests/bench $(ARGS)

calls: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m calls tests/scenarios/front $(ARGS)

docs: $(VENV)/.installed-docs
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html

clean:
	rm -rf $(VENV) build dist docs/_build *.egg-info .pytest_cache .mypy_cache .ruff_cache

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit("presproxy needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(BIN)/python setup.cfg pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.installed-%: $(VENV)/.installed setup.cfg
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	touch $@
