# The two commands are `make demo` and `make test`; each sets up what it needs first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

.PHONY: setup compiled lock demo test quick lint types layers docs s3-tests bench fuzz crash clean dev

setup: $(STAMP)

# uv comes from the registry like everything else; versions and hashes are pinned in requirements/.
$(STAMP): requirements/dev.txt requirements/uv.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements/dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $(STAMP)

# As pip installs it. Without, and with PYTHONDONTWRITEBYTECODE, every server and every job compiles all that it imports:
# half of a server's start.
compiled: setup
	$(BIN)/python -m compileall -q src

lock:
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-emit-index-url --no-header --output-file requirements/dev.txt --group dev pyproject.toml requirements/build.in
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-emit-index-url --no-header --output-file requirements/uv.txt requirements/uv.in
	$(BIN)/uv pip compile --quiet --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url --no-header --output-file requirements/fuzz.txt pyproject.toml requirements/fuzz.in
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url --no-header --output-file requirements/crash.txt requirements/crash.in
	for lock in src/cloche_jobs/locks/*.in; do case $$lock in */sagemaker-*) from=3.10 ;; *) from=3.11 ;; esac; $(BIN)/uv pip compile --quiet --override src/cloche_jobs/locks/without-torch.overrides --universal --python-version $$from --generate-hashes --no-annotate --no-emit-index-url --no-header --output-file $${lock%.in}.txt $$lock; done

demo: compiled
	$(BIN)/python examples/train_and_deploy/main.py $(ARGS)

lint: setup
	$(BIN)/ruff check src tests benchmarks tools examples
	$(BIN)/ruff format --check src tests benchmarks tools examples

types: setup
	$(BIN)/mypy

layers: setup
	$(BIN)/lint-imports

docs: setup  # the computed pages of docs/reference
	for page in coverage commands settings hyperparameters; do $(BIN)/python tools/$${page}_page.py; done

quick: compiled
	$(BIN)/pytest -n auto --dist loadfile -m "not slow and not journey"

# Clients wait between two looks, half of a journey: two more run at a time than there are cores, the longest first.
# What fails among all the others is tried once more alone; what fails again has failed.
WORKERS ?= $(shell $(PYTHON) -c "import os; print(len(os.sched_getaffinity(0)) + 2)")
test: lint types layers compiled
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder || $(BIN)/pytest --last-failed --last-failed-no-failures none

# ceph/s3-tests, cloned and counted by ../shared/conformance/s3-tests/run.sh (or $$S3TESTS), against a server of its own.
s3-tests: setup
	$(BIN)/python tools/s3_tests.py $(ARGS)

bench: compiled  # on a machine that does nothing else; figures belong into benchmarks/README.md
	for each in wire startup control_plane training_overhead processing_start batch_transform invoke lone_client invoke_clients lambda_invoke s3 images sqs events alarms telemetry logs_insights tuning pipelines model_monitor; do echo "== $$each"; $(BIN)/python benchmarks/$$each.py || exit 1; done

dev: setup
	$(BIN)/ruff format src tests benchmarks tools examples
	$(BIN)/ruff check --fix src tests benchmarks tools examples
	$(MAKE) types layers quick

# Coverage-guided fuzzing of every parser, SECONDS each; inputs that led further are kept beside the environment.
SECONDS ?= 60
CACHE := $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)
FUZZ := $(CACHE)/cloche-fuzz
FUZZ_TARGETS := $(patsubst tests/fuzz/fuzz_%.py,%,$(sort $(wildcard tests/fuzz/fuzz_*.py)))

$(FUZZ)/.ready: requirements/fuzz.txt requirements/uv.txt
	$(PYTHON) -m venv $(FUZZ)
	$(FUZZ)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	$(FUZZ)/bin/uv pip sync --quiet --python $(FUZZ)/bin/python --require-hashes requirements/fuzz.txt
	touch $(FUZZ)/.ready

fuzz: $(FUZZ)/.ready
	for target in $(FUZZ_TARGETS); do PYTHONPATH=src $(FUZZ)/bin/python tests/fuzz/run.py $$target --seconds $(SECONDS) --keep $(FUZZ)/kept/$$target || exit 1; done

# Crashes with all work at once, ROUNDS of them; CUT is kill, power or torn (the last two: root, /dev/fuse, libfuse3).
# At night: make crash ROUNDS=500
ROUNDS ?= 50
CUT ?= kill
CRASH := $(CACHE)/cloche-crash

$(CRASH)/.ready: requirements/crash.txt requirements/uv.txt
	$(PYTHON) -m venv $(CRASH)
	$(CRASH)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	$(CRASH)/bin/uv pip sync --quiet --python $(CRASH)/bin/python --require-hashes requirements/crash.txt
	touch $(CRASH)/.ready

crash: setup $(CRASH)/.ready
	$(BIN)/python tests/simulation/crash/rounds.py --rounds $(ROUNDS) --cut $(CUT) --fuse-python $(CRASH)/bin/python

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
