# Two things are needed: Python 3.10 or newer, and network to the package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Caches of bytecode halve the time that pytest and every process of a test need to start.
unexport PYTHONDONTWRITEBYTECODE
# How many processes run the tests; 0: only pytest's own, for --pdb. Many tests wait for processes
# and servers, so there are more than processors.
PROCESSORS := $(shell getconf _NPROCESSORS_ONLN)
TEST_PROCESSES ?= $(shell expr $(PROCESSORS) + 2)
# The files keep their order: tests/conftest.py puts those first that take longest.
PARALLEL = --numprocesses=$(TEST_PROCESSES) --dist=loadgroup --no-loadscope-reorder

help:
	@echo "make demo        a site with phone login on http://127.0.0.1:8000, with a worker, beat and the sandbox (port 8001);"
	@echo "                 or WEB_PORT=… SANDBOX_PORT=…; Ctrl-C ends all"
	@echo "make smoke       the same by itself: every way of a code is tried, with a transcript"
	@echo "make demo-data   200,000 made-up calls into the demo's history, also while it runs; or CALLS=… DAYS=… SEED=…"
	@echo "make screenshots the pictures of the documentation, in English and Russian: docs/images"
	@echo "make test        install what the tests need into $(VENV) and run them, in $(TEST_PROCESSES) processes; or TEST_PROCESSES=… PYTEST_ARGS=…"
	@echo "make long        the tests that run a whole site, the demo or a page of the documentation; CI runs both"
	@echo "make fast        lint, and the tests that need no process, service or browser: within a minute"
	@echo "make matrix      the tests on every Python and Django that are here, and on the oldest versions of all; or ENVS=…"
	@echo "make coverage    how much of the package the tests reach, branches too; at least 95 %"
	@echo "make benchmarks  what the app costs beside floors of the same run; or ARGS=…"
	@echo "make lint        ruff, its format and mypy"
	@echo "make docs        the documentation as a site, in build/docs"
	@echo "make audit       bandit, and pip-audit where its advisories can be reached"
	@echo "make dist        wheel and sdist, checked, in dist"
	@echo "make sbom        what a project gets with the wheel, as CycloneDX, in build/sbom.cdx.json"
	@echo "make clean       remove $(VENV), the demo's data and what was built"

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
	@$(call install,test$(comma)lint$(comma)mutation,the tests)
	@touch $@ $(VENV)/for-demo

comma := ,

$(VENV)/for-docs: $(VENV)/pip-is-new setup.cfg pyproject.toml
	@$(call install,docs,the documentation)
	@touch $@

test: $(VENV)/for-test
	$(BIN)/python -m pytest $(PARALLEL) -m "not long" $(PYTEST_ARGS)

# What "make test" leaves out; a "-m" in PYTEST_ARGS would replace the one here.
long: $(VENV)/for-test
	$(BIN)/python -m pytest $(PARALLEL) -m long $(PYTEST_ARGS)

# mypy and the tests at the same time.
fast: $(VENV)/for-test
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target lint unit

# These tests do not wait. All of tests/hostile is slow; to import it and Schemathesis, which only it
# uses, would take seconds too.
unit: TEST_PROCESSES = $(PROCESSORS)
unit: $(VENV)/for-test
	$(BIN)/python -m pytest -q --ignore=tests/hostile --ignore=tests/admin_pages --ignore=tests/secrets -p no:schemathesis -m "not (slow or processes or service or browser or program)" $(PARALLEL) $(PYTEST_ARGS)

# What only PostgreSQL and MariaDB do is reached with their address in DATABASE_URL; --cov-append adds it.
coverage: $(VENV)/for-test
	$(BIN)/python -m pytest $(PARALLEL) --cov --cov-report=term:skip-covered --cov-fail-under=95 $(PYTEST_ARGS)

demo: $(VENV)/for-demo
	@$(BIN)/python example_project/demo.py

demo-data: $(VENV)/for-demo
	@$(BIN)/python example_project/manage.py migrate --verbosity=0
	@$(BIN)/python example_project/manage.py demo_data $(if $(CALLS),--calls=$(CALLS)) $(if $(DAYS),--days=$(DAYS)) \
		$(if $(SEED),--seed=$(SEED)) $(if $(YES),--yes)

benchmarks: $(VENV)/for-test
	@$(BIN)/python -m benchmarks $(ARGS)

$(VENV)/for-screenshots: $(VENV)/pip-is-new setup.cfg pyproject.toml
	@$(call install,screenshots,Playwright)
	@touch $@

screenshots: $(VENV)/for-screenshots
	@$(BIN)/python example_project/screenshots.py

smoke: $(VENV)/for-demo
	@$(BIN)/python example_project/demo.py --smoke

lint: $(VENV)/for-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(VENV)/for-matrix: $(VENV)/pip-is-new setup.cfg pyproject.toml
	@$(call install,matrix,tox)
	@touch $@

# Where pyenv has interpreters, they are found too.
# Two environments at a time.
matrix: TEST_PROCESSES = 2
matrix: $(VENV)/for-matrix
	PATH="$$(printf '%s:' $(wildcard $(HOME)/.pyenv/versions/*/bin))$$PATH" \
		$(BIN)/tox run-parallel --parallel 2 --parallel-no-spinner $(if $(ENVS),-e $(ENVS)) -- $(PARALLEL) -q $(PYTEST_ARGS)

$(VENV)/for-audit: $(VENV)/pip-is-new setup.cfg pyproject.toml
	@$(call install,audit,the audit)
	@touch $@

# Without advisories pip-audit says that none is known: what was not audited is said here.
audit: $(VENV)/for-audit
	@# It warns of each part of a statement that is no finding by itself.
	@$(BIN)/bandit --quiet --recursive django_voicepassword 2>$(VENV)/bandit.log || { cat $(VENV)/bandit.log >&2; exit 1; }
	@echo "bandit: every finding is explained beside its line"
	@$(BIN)/pip-audit --local --skip-editable --progress-spinner off >$(VENV)/audit.log 2>&1 && failed= || failed=yes; \
		skipped=$$(grep -c 'could not be audited' $(VENV)/audit.log); \
		if grep -q 'known vulnerabilit.* in' $(VENV)/audit.log; then cat $(VENV)/audit.log; exit 1; fi; \
		if [ -n "$$failed" ]; then echo "pip-audit cannot reach the advisories: the packages were NOT audited"; \
		elif [ $$skipped -gt 0 ]; then echo "pip-audit finds no advisories for $$skipped packages: they were NOT audited"; \
		else echo "pip-audit: no known vulnerability in what is installed"; exit 0; fi; \
		echo "(bandit is done, see $(VENV)/audit.log for the rest)"

# A warning is an error: a link that leads nowhere, a page that is in no table of contents.
docs: $(VENV)/for-docs
	$(BIN)/python -m sphinx --builder html --fresh-env --write-all --quiet --fail-on-warning --keep-going --nitpicky docs build/docs
	@echo "build/docs/index.html"

$(VENV)/for-dist: $(VENV)/pip-is-new setup.cfg pyproject.toml
	@$(call install,dist,the build tools)
	@touch $@

# setup.py stops the build if the version is not the one at the top of CHANGELOG.md.
# W004: the name of a migration begins with a digit, so no import statement can name it.
dist: $(VENV)/for-dist
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*
	$(BIN)/check-wheel-contents --ignore W004 --package django_voicepassword dist/*.whl

# The wheel is installed into a new environment, so that none of the tools here are listed.
sbom: dist
	rm -rf build/sbom
	$(PYTHON) -m venv --without-pip build/sbom
	$(BIN)/python -m pip --python build/sbom/bin/python install --quiet dist/*.whl
	$(BIN)/cyclonedx-py environment --output-file build/sbom.cdx.json build/sbom/bin/python

clean:
	rm -rf $(VENV) var build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .tox

.PHONY: help demo demo-data screenshots smoke test fast unit coverage matrix benchmarks docs lint audit dist sbom clean
