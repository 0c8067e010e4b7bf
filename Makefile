# Everything runs in .venv, made on the first call. Needs Python 3.11 or newer, git and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: help demo test lint docs docs-check clean

help:
	@echo "make demo   calibrate a sample config with the demo images; print the table and the diff"
	@echo "make test   run the whole test suite"
	@echo "make lint   ruff, mypy, import contracts"
	@echo "make docs   generate what the docs take from the code"

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@# spandrel alone, for its tests: torchvision, which it names and two of its networks need, comes with CUDA
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps 'spandrel==0.4.2' einops safetensors
	@touch $@

demo: $(INSTALLED)
	@mkdir -p .demo
	$(BIN)/autocal calibrate sample_configs/automatic.yml -o .demo/resolved.yml --diff --force

test: $(INSTALLED)
	$(BIN)/python -m pytest -n auto --dist loadgroup

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(INSTALLED)
	$(BIN)/cog -r -I docs README.md docs/*.md

docs-check: $(INSTALLED)
	$(BIN)/cog --check --diff -I docs README.md docs/*.md

clean:
	rm -rf $(VENV) .demo
