# Everything a fresh machine needs: first the system's packages, then the environment, which the first target that needs
# it makes. What the system lacks is installed where that is possible (as root on Debian and Ubuntu), else named in one
# line together with the command that installs it.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= out/demo
DEMO ?=

SYSTEM := $(PYTHON) -m core.system --install --venv $(VENV)

.PHONY: help demo app wheel lowest test lint types docs unit fuzz browser nightly system system-test setup setup-dev lock clean
# Prerequisites are made in the order in which they are written.
.NOTPARALLEL:

help:
	@echo "make demo      system packages, environment, then the audits of the bundled sample; prints the PDF's path"
	@echo "make test      the same set-up, then everything that CI checks: lint, types, unit and browser tests, fuzzing"
	@echo "make app       the dashboard on http://127.0.0.1:8501"
	@echo "make wheel     the wheel in out/wheel, installed in an empty environment and run there"
	@echo "make lowest    the lower bounds of requirements.txt, installed by uv in an environment of their own and tested"
	@echo "make docs      the site of the documentation in out/docs, with its links checked"
	@echo "make system    only the check of the system packages; system-test: also of those that the tests need"
	@echo "make nightly   what CI leaves out: the whole demo, all hostile files, every fault, ten times the fuzzing"

system:
	@$(SYSTEM) demo

system-test:
	@$(SYSTEM) test

setup: $(VENV)/.requirements
setup-dev: $(VENV)/.requirements-dev

$(BIN)/python:
	@$(SYSTEM) python
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.requirements: requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet -r requirements.txt
	@touch $@

$(VENV)/.requirements-dev: requirements-dev.txt $(VENV)/.requirements
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	@touch $@

demo: system setup
	$(BIN)/python -m core demo --out $(OUT) $(DEMO)

app: system setup
	$(BIN)/python -m streamlit run app.py

wheel: system setup-dev
	$(BIN)/python tests/check_wheel.py out/wheel

# The lower bounds: their versions in an environment of their own (about 6 GB with torch for CUDA), a few tests, one audit.
# Wheels only, because the oldest sources no longer build. A resolver is needed that can take the lowest versions: uv.
LOWEST := out/lowest
lowest: system
	uv venv --quiet --clear --python 3.11 $(LOWEST)
	uv pip install --quiet --python $(LOWEST) --resolution lowest-direct --no-build -r requirements.txt \
		"pytest>=9" "hypothesis>=6.170"
	PYTHONPATH=. $(LOWEST)/bin/python -m pytest tests/datasets/test_dataset_table.py tests/datasets/test_dataset_image.py \
		tests/datasets/test_dataset_dicom.py tests/datasets/test_dataset_sheets.py tests/statistics tests/methods \
		tests/runs/test_runs_plan.py tests/runs/test_runs_results.py
	$(LOWEST)/bin/python -m core audit --images core/sample/images/alpaca.jpg core/sample/images/lake.jpg \
		--texts core/sample/prompts.txt --methods raw,gradcam --applications none --effort quick --out $(LOWEST)/run
	$(LOWEST)/bin/python -m core verify $(LOWEST)/run

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# The site of the documentation, with every link checked; `python -m core docs` serves it.
docs: setup-dev
	$(BIN)/mkdocs build

types: setup-dev
	$(BIN)/mypy -n 2

# The lines that the tests run are counted on the way, which costs about a tenth, and printed by room.
unit: system-test setup-dev
	@mkdir -p out
	$(BIN)/python -m slipcover --source core,pages/parts --json --out out/coverage.json \
		-m pytest -m "not browser and not nightly" -n 2 --dist loadfile
	$(BIN)/python tests/check_coverage.py out/coverage.json

# A wait that ran out is repeated once, and the repetition is printed: the browser shares two cores with the app's workers.
browser: system-test setup-dev
	$(BIN)/python -m pytest tests/browser -m browser -rR --reruns 1 --only-rerun "TimeoutError|expected to"

# A fixed number of executions of each reader, from seeds that are always the same.
fuzz: setup-dev
	$(BIN)/python -m tests.hostile.fuzz

test: system-test lint types docs unit fuzz browser

nightly: system-test setup-dev
	$(BIN)/python -m pytest -m nightly
	$(BIN)/python -m core demo --out out/nightly-demo
	$(BIN)/python tests/check_demo.py out/nightly-demo
	LOUPE_EVERY_FAULT=1 $(BIN)/python -m pytest -s tests/audit/test_fault_injection.py
	$(BIN)/python -m tests.hostile.fuzz --seed $${SEED:-2} --times 10

# Exact versions of this environment, without builds that only one index has.
lock: setup-dev
	@sed '/^[^#]/d' requirements.lock > requirements.lock.new
	@$(BIN)/python -m pip freeze | sed -e '/ @ /d' -e '/^-e/d' -e 's/+[[:alnum:].]*$$//' >> requirements.lock.new
	@mv requirements.lock.new requirements.lock

clean:
	rm -rf $(VENV) out .pytest_cache .ruff_cache .mypy_cache
