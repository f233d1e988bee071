# Everything a fresh machine needs. The first target that needs the environment makes it.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= out/demo

.PHONY: help demo app test lint types unit fuzz browser nightly setup setup-dev clean

help:
	@echo "make demo   environment, requirements, then an audit of the bundled sample; prints the PDF's path"
	@echo "make app    the dashboard on http://127.0.0.1:8501"
	@echo "make test   everything that CI checks: lint, types, unit and browser tests, fuzzing"
	@echo "make nightly   the long ones: all hostile files, every fault injected, many kills, ten times the fuzzing"

setup: $(VENV)/.requirements
setup-dev: $(VENV)/.requirements-dev

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.requirements: requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet -r requirements.txt
	@touch $@

$(VENV)/.requirements-dev: requirements-dev.txt $(VENV)/.requirements
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	@touch $@

demo: setup
	$(BIN)/python -m core demo --out $(OUT)

app: setup
	$(BIN)/python -m streamlit run app.py

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup-dev
	$(BIN)/mypy

unit: setup-dev
	$(BIN)/python -m pytest -m "not browser and not nightly" -n 2 --dist loadfile

browser: setup-dev
	$(BIN)/python -m pytest -m browser

# A fixed number of executions of each reader, from seeds that are always the same.
fuzz: setup-dev
	$(BIN)/python -m tests.hostile.fuzz

test: lint types unit fuzz browser

nightly: setup-dev
	$(BIN)/python -m pytest -m nightly
	LOUPE_EVERY_FAULT=1 $(BIN)/python -m pytest -s tests/audit/test_fault_injection.py
	$(BIN)/python -m tests.hostile.fuzz --seed $${SEED:-2} --times 10

clean:
	rm -rf $(VENV) out .pytest_cache .ruff_cache .mypy_cache
