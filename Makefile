# The commands that people and CI run.
#
# `make setup` makes .venv, or uses the environment that is active or named in VENV.

VENV ?= $(if $(VIRTUAL_ENV),$(VIRTUAL_ENV),.venv)
PYTHON ?= python3
BIN := $(VENV)/bin
STAMP := $(VENV)/.rnnlab-installed

.PHONY: setup figure7 test chaos check format bench gpu-check clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(STAMP)

figure7: setup
	$(BIN)/sweep run figure7 --quick
	$(BIN)/sweep draw figure7 --quick

test: setup
	$(BIN)/python -m pytest -m "not ray" --numprocesses 2 --dist worksteal
	$(BIN)/python -m pytest -m ray

chaos: setup
	CHAOS_KILLS=100 $(BIN)/python -m pytest -s tests/integration/test_chaos.py

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/update.py

# On a machine with an NVIDIA card; installs nothing, so that an image's own Python will do.
gpu-check:
	$(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON)) benchmarks/gpu_check
