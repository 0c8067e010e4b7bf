# Everything runs in .venv, made on the first call. Needs Python 3.11 or newer, git and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
INSTALLED := $(VENV)/.installed
PIP := -m pip install --quiet --disable-pip-version-check
NEWEST := .venv-newest

.PHONY: help demo test test-all test-newest lint docs docs-check lock clean

help:
	@echo "make demo         calibrate a sample config with the demo images; print the table and the diff"
	@echo "make test         run the test suite with the locked versions"
	@echo "make test-all     run it with the slow tests too"
	@echo "make test-newest  run it in a fresh environment with the newest releases (torch stays pinned)"
	@echo "make lint         ruff, mypy, import contracts"
	@echo "make docs         generate what the docs take from the code"
	@echo "make lock         write constraints.txt anew from pyproject.toml and constraints.in"

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) --constraint constraints.txt --editable '.[dev]'
	@# spandrel alone, for its tests: torchvision, which it names and two of its networks need, comes with CUDA
	$(BIN)/python $(PIP) --constraint constraints.txt --no-deps spandrel einops safetensors
	@touch $@

demo: $(INSTALLED)
	@mkdir -p .demo
	$(BIN)/autocal calibrate sample_configs/automatic.yml -o .demo/resolved.yml --diff --force

test: $(INSTALLED)
	$(BIN)/python -m pytest -n auto --dist loadgroup

test-all: $(INSTALLED)
	AUTOCAL_ALL_NETWORKS=1 $(BIN)/python -m pytest -n auto --dist loadgroup -m "slow or not slow"

test-newest:
	rm -rf $(NEWEST)
	$(PYTHON) -m venv $(NEWEST)
	grep '^torch==' constraints.in > $(NEWEST)/constraints.txt
	$(NEWEST)/$(notdir $(BIN))/python $(PIP) --upgrade --constraint $(NEWEST)/constraints.txt --editable '.[dev]'
	$(NEWEST)/$(notdir $(BIN))/python $(PIP) --no-deps spandrel einops safetensors
	$(NEWEST)/$(notdir $(BIN))/python -m pytest -n auto --dist loadgroup

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(INSTALLED)
	$(BIN)/cog -r -I docs README.md docs/*.md
	$(BIN)/python docs/picture.py

docs-check: $(INSTALLED)
	$(BIN)/cog --check --diff -I docs README.md docs/*.md
	$(BIN)/python docs/picture.py --check

lock:
	$(PYTHON) -m venv .venv-lock
	.venv-lock/$(notdir $(BIN))/python $(PIP) uv
	.venv-lock/$(notdir $(BIN))/uv pip compile --quiet --universal --python-version 3.11 --no-annotate --no-header \
		--no-emit-index-url --extra dev pyproject.toml constraints.in --output-file constraints.txt
	rm -rf .venv-lock

clean:
	rm -rf $(VENV) $(NEWEST) .venv-lock .demo
