# The two commands of the README, each from a fresh clone: `make demo` and `make test`. Both make .venv when it is missing.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
LOWEST := .venv-lowest

# An environment that happens to be active, or a path meant for another Python, must not leak into ours.
unexport VIRTUAL_ENV PYTHONHOME PYTHONPATH CONDA_PREFIX
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-lowest docs weights

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1 - /p' $(MAKEFILE_LIST)

demo: $(STAMP) ## coarsen, train, downscale and score; RAIN=file.nc takes a rain field of yours
	$(BIN)/python examples/demo.py $(if $(RAIN),"$(RAIN)")

test: $(STAMP) ## lint, format, types, layers, tests with branch coverage
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-report=term-missing:skip-covered

test-lowest: ## a part of the tests with the lowest versions of all dependencies, in an environment of its own
	@test -x $(LOWEST)/bin/python || $(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install -q -c constraints-lowest.txt -e ".[units,zarr,plot]" pytest hypothesis
	OMP_NUM_THREADS=1 $(LOWEST)/bin/python -m pytest -q -p no:cacheprovider tests/test_coarsen.py tests/test_interpolate.py \
		tests/test_downscale.py tests/test_evaluate.py tests/cli tests/models/test_artefact.py tests/field

docs: $(VENV)/.docs ## the site as HTML in docs/_build/html; its notebooks are run the first time, which takes minutes
	OMP_NUM_THREADS=1 JUPYTER_PATH=docs/jupyter $(BIN)/python -m sphinx -q -W --keep-going -d docs/_build/doctrees $(SPHINXOPTS) docs docs/_build/html
	$(BIN)/python docs/check_links.py docs/_build/html
	@echo "docs/_build/html/index.html"

$(BIN)/python:
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "xdownscale needs Python 3.11 or newer; choose one with: make PYTHON=python3.12 ..." >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV)

$(STAMP): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing xdownscale and its dependencies into $(VENV) (a few minutes the first time)"
	@$(BIN)/python -m pip install -q -c constraints.txt -e ".[test,plot]"
	@touch $@

$(VENV)/.docs: $(STAMP)
	@echo "Installing what the site needs into $(VENV)"
	@$(BIN)/python -m pip install -q -c constraints.txt -e ".[docs]"
	@touch $@

weights: $(STAMP) ## train the general weights on the files of DATA=folder, in WEIGHTS=rain.safetensors: two runs
	$(BIN)/python benchmarks/make_amounts.py "$(DATA)" amounts
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/make_general.py "$(DATA)" --amounts amounts --minutes 75 --checkpoint run1.safetensors --out first.safetensors
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/make_general.py "$(DATA)" --amounts amounts --start first.safetensors --rate 6e-4 --minutes 75 --seed 1 \
		--checkpoint run2.safetensors --out "$(or $(WEIGHTS),rain.safetensors)"
