# `make serve` and `make test` do all the set-up a fresh machine needs: Python 3.11+, make and a package registry.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet

.PHONY: serve test test-pages test-transformers screenshots check bench format lock clean

serve: $(VENV)/serve.stamp
	$(BIN)/dragoman serve $(ARGS)

# Some 300 tests start the command, which would be compiled anew for each where no bytecode may be kept.
test test-pages: export PYTHONDONTWRITEBYTECODE :=

# A file of tests stays in one process: what its tests share is started once.
test: $(VENV)/dev.stamp
	$(BIN)/pytest -n 2 --dist loadfile $(ARGS)

# In Debian's own Chromium.
test-pages: $(VENV)/dev.stamp /usr/bin/chromium
	$(BIN)/pytest tests/pages $(ARGS)

screenshots: $(VENV)/dev.stamp /usr/bin/chromium
	$(BIN)/python -m tests.pages.screenshots docs/images

/usr/bin/chromium:
	apt-get update
	apt-get install --yes --no-install-recommends chromium fonts-noto-core fonts-noto-cjk

# torch is heavy, so its engine has tests of its own. The CPU build is enough for them.
test-transformers: $(VENV)/transformers.stamp
	$(BIN)/pytest tests/transformers $(ARGS)

check: $(VENV)/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/dev.stamp
	$(BIN)/python -m bench $(ARGS)

format: $(VENV)/dev.stamp
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Hashes only, no index addresses: the lock installs from whatever registry the machine is set up for.
LOCK := uv pip compile pyproject.toml --universal --python-version 3.11 --extra embedded --extra jobs --group build --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-annotate --no-header
lock: $(VENV)/dev.stamp
	$(PIP) install uv
	$(BIN)/$(LOCK) --output-file requirements.lock
	$(BIN)/$(LOCK) --group dev --constraint requirements.lock --output-file requirements-dev.lock

clean:
	rm -rf $(VENV)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade pip

# The project is installed in place, so only a changed lock or pyproject.toml makes these run again.
$(VENV)/serve.stamp: requirements.lock pyproject.toml | $(BIN)/python
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/serve.stamp requirements-dev.lock
	$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)/transformers.stamp: $(VENV)/dev.stamp
	$(PIP) install torch==2.13.0 transformers==5.23.0
	@touch $@
