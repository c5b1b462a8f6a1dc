# Two things are needed: Python 3.10 or newer, and network to the package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

help:
	@echo "make demo    a site with phone login, a worker, beat and the sandbox; Ctrl-C ends all"
	@echo "make smoke   the same by itself: every way of a code is tried, with a transcript"
	@echo "make test    install what the tests need into $(VENV) and run them"
	@echo "make lint    ruff and mypy"
	@echo "make clean   remove $(VENV), the demo's data and what was built"

$(VENV)/pip-is-new:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || \
		{ echo "Python 3.10 or newer is needed: make PYTHON=/path/to/python3 …" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "Python's venv module is missing: on Debian, apt install python3-venv" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade pip >$(VENV)/install.log 2>&1 || \
		{ cat $(VENV)/install.log >&2; echo "pip cannot be installed: is the package index reachable?" >&2; exit 1; }
	@touch $@

# $(call install,extras,what for)
install = echo "installing $(2) into $(VENV): a minute or two on the first run"; \
	$(BIN)/python -m pip install --quiet --editable '.[$(1)]' >$(VENV)/install.log 2>&1 || \
		{ cat $(VENV)/install.log >&2; echo "the packages cannot be installed: see above" >&2; exit 1; }

$(VENV)/for-demo: $(VENV)/pip-is-new setup.cfg pyproject.toml
	@$(call install,example,the demo)
	@touch $@

$(VENV)/for-test: $(VENV)/pip-is-new setup.cfg pyproject.toml
	@$(call install,test$(comma)lint,the tests)
	@touch $@ $(VENV)/for-demo

comma := ,

test: $(VENV)/for-test
	$(BIN)/python -m pytest $(PYTEST_ARGS)

demo: $(VENV)/for-demo
	@$(BIN)/python example_project/demo.py

smoke: $(VENV)/for-demo
	@$(BIN)/python example_project/demo.py --smoke

lint: $(VENV)/for-test
	$(BIN)/ruff check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) var build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .tox

.PHONY: help demo smoke test lint clean
