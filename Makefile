# What people and CI type. `make help` lists it.
#
# Everything is installed into .venv by pip from PyPI; nothing else on the machine is changed.
# Stamps say when that was done: it is redone only when pyproject.toml or the script changes.

VENV       := .venv
RUN        := $(VENV)/bin/python
DEV        := $(VENV)/.installed-dev
RUNTIME    := $(VENV)/.installed-runtime
# Tests wait for processes and clocks more than they compute: three fill two cores.
WORKERS    ?= 3
TEST_LIMIT ?= 1200
ARGS       ?=
NATIVE     := $(CURDIR)/build/native
NATIVE_TESTS := tests/test_native.py tests/core tests/wire tests/policies tests/bridge \
	tests/upstreams tests/fronts tests/gateway

export PYTHONUNBUFFERED := 1
# Hundreds of processes import the same modules: each is compiled once, whatever the shell says.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup check format test new-test native native-test demo bench clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(DEV) ## create .venv and install everything needed to work on Lockgate

check: $(DEV) ## lint, format, types, import contracts, budgets
	@scripts/check

format: $(DEV) ## put every file into the agreed format and fix what can be fixed
	@$(VENV)/bin/ruff format .
	@$(VENV)/bin/ruff check --fix .

test: $(DEV) ## run every test (ARGS="tests/wire -k sse" for some)
	@$(RUN) scripts/bounded.py $(TEST_LIMIT) $(RUN) -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

new-test: $(DEV) ## make a project of every kind, install it afresh and run its own tests
	@LOCKGATE_TESTS_PROJECTS=1 $(RUN) scripts/bounded.py $(TEST_LIMIT) \
		$(RUN) -m pytest -n 2 --dist loadgroup tests/scaffold $(ARGS)

native: $(DEV) ## compile the path of a call into build/native, if there is a C compiler
	@$(RUN) scripts/native.py

native-test: native ## run the tests of the path of a call against what is compiled
	@if [ -e $(NATIVE)/lockgate-native.stamp ]; then \
		PYTHONPATH=$(NATIVE) LOCKGATE_BUILD=compiled $(MAKE) --no-print-directory test ARGS="$(NATIVE_TESTS)"; \
	fi

demo: $(RUNTIME) ## start Lockgate in front of real servers and call a tool on each
	@$(RUN) -m demo $(ARGS)

bench: $(DEV) ## measure direct, nginx and Lockgate in one run; compiled, where it can be
	-@$(RUN) scripts/native.py
	@PYTHONPATH=$(NATIVE) $(RUN) -m bench $(ARGS)

clean: ## remove everything that was installed, built or cached here
	rm -rf $(VENV) .demo .cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	rm -rf dist build .coverage .coverage.*
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

$(RUNTIME): pyproject.toml scripts/environment
	@scripts/environment runtime

$(DEV): pyproject.toml scripts/environment
	@scripts/environment dev interop
