# Everything below needs python3.11 and make; the first target that runs builds .venv.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# Extra arguments for pytest: make test ARGS="-m 'not slow' tests/search"
ARGS ?=
# Processes that share the test files between them.
JOBS ?= 2

# One thread: for networks of this size the second one costs more than it gives.
# scikit-learn runs its array API checks only where SciPy was told to dispatch.
TEST_ENV := OMP_NUM_THREADS=1 SCIPY_ARRAY_API=1 MPLBACKEND=Agg
# The variable reaches pip's isolated build environments, the option its own resolution.
PIP_INSTALL := PIP_CONSTRAINT="$(CURDIR)/constraints.txt" $(BIN)/python -m pip install --quiet \
	--disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help .venv venv-dev demo test clients oldest newest wheel readme lint format layers types docs notebooks clean

help:  ## list the targets
	@grep -hE '^[.a-z-]+:.*##' Makefile | sed -E 's/^([.a-z-]+):.*## /\1\t/' | sort | expand -t 12

.venv: .venv/.installed  ## what the demo and the tests need

venv-dev: .venv/.installed-dev  ## .venv with the documentation and development tools too

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.installed: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP_INSTALL) --editable ".[export,plot,test]"
	@touch $@

.venv/.installed-dev: .venv/.installed
	$(PIP_INSTALL) --editable ".[dev,docs,export,plot,test]"
	@touch $@

# What runs the tests in other environments.
TESTERS := hypothesis polars pytest pytest-timeout pytest-xdist

# Environments beside .venv: constraints-NAME.txt has what stands there in place of constraints.txt.
.venv-clients/.installed: EXTRAS := clients,plot
.venv-oldest/.installed: EXTRAS := plot
.venv-%/.installed: pyproject.toml constraints.txt constraints-%.txt
	test -x .venv-$*/bin/python || $(PYTHON) -m venv .venv-$*
	awk -F== 'NR == FNR { other[$$1]; print; next } !($$1 in other)' \
		constraints-$*.txt constraints.txt > .venv-$*/constraints.txt
	PIP_CONSTRAINT="$(CURDIR)/.venv-$*/constraints.txt" .venv-$*/bin/python -m pip install --quiet \
		--disable-pip-version-check --constraint .venv-$*/constraints.txt \
		--editable ".[$(EXTRAS)]" $(TESTERS)
	@touch $@

demo: .venv/.installed  ## search, train and forecast on a small series
	$(BIN)/python benchmarks/demo.py

test: .venv/.installed  ## the whole test suite, slow tests included
	$(TEST_ENV) $(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

clients: .venv-clients/.installed  ## other libraries drive the estimators, in .venv-clients
	$(TEST_ENV) .venv-clients/bin/python -m pytest tests/clients $(ARGS)

# What touches other packages most.
OUTWARD := tests/estimators/test_sklearn_checks.py tests/forecasting/test_forecaster_*.py \
	tests/inspection tests/test_plain.py tests/test_public_names.py tests/windows

oldest: .venv-oldest/.installed  ## what touches other packages most, with their oldest versions
	$(TEST_ENV) .venv-oldest/bin/python -m pytest --numprocesses $(JOBS) --dist loadfile $(OUTWARD) $(ARGS)

# What is newest changes from day to day, so that every run looks again. Torch alone stays pinned, to
# the build that is tested.
newest:  ## the same tests with the newest versions, in .venv-newest
	test -x .venv-newest/bin/python || $(PYTHON) -m venv .venv-newest
	grep '^torch==' constraints.txt > .venv-newest/constraints.txt
	PIP_CONSTRAINT="$(CURDIR)/.venv-newest/constraints.txt" .venv-newest/bin/python -m pip install --quiet \
		--disable-pip-version-check --upgrade --upgrade-strategy eager --editable ".[plot]" $(TESTERS)
	.venv-newest/bin/python -c "import sknas; sknas.show_versions()"
	$(TEST_ENV) .venv-newest/bin/python -m pytest --numprocesses $(JOBS) --dist loadfile $(OUTWARD) $(ARGS)

wheel: .venv/.installed-dev  ## build, install the wheel alone in .venv-wheel, and try it from elsewhere
	rm -rf dist .venv-wheel
	PIP_CONSTRAINT="$(CURDIR)/constraints.txt" $(BIN)/python -m build --outdir dist .
	$(PYTHON) -m venv .venv-wheel
	PIP_CONSTRAINT="$(CURDIR)/constraints.txt" .venv-wheel/bin/python -m pip install --quiet \
		--disable-pip-version-check dist/*.whl
	cd "$$(mktemp -d)" && OMP_NUM_THREADS=1 "$(CURDIR)/.venv-wheel/bin/python" "$(CURDIR)/.ci/smoke.py"

readme: .venv/.installed  ## run the README's code blocks
	$(TEST_ENV) $(BIN)/python -m pytest tests/test_readme.py

lint: .venv/.installed-dev  ## formatting, lint rules and spelling
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/codespell

format: .venv/.installed-dev  ## rewrite the files as lint wants them
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

layers: .venv/.installed-dev  ## imports point downwards only
	$(BIN)/lint-imports

types: .venv/.installed-dev  ## mypy, strict
	$(BIN)/mypy

docs: .venv/.installed-dev  ## build the documentation; a warning is an error
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

notebooks: .venv/.installed  ## run every notebook with few epochs
	@if [ -z "$$(find notebooks -name '*.ipynb' -not -path '*/.*' 2>/dev/null)" ]; then \
		echo "There are no notebooks yet."; \
	else \
		$(TEST_ENV) SKNAS_SMOKE=1 $(BIN)/python -m pytest --nbmake --nbmake-timeout=600 notebooks; \
	fi

clean:  ## remove what the targets made, .venv excepted
	rm -rf build dist .coverage htmlcov .hypothesis .import_linter_cache .mypy_cache \
		.pytest_cache .ruff_cache docs/_build docs/auto_examples docs/generated docs/notebooks \
		docs/_static/layers.*
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
